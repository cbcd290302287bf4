"""The instrument specifications that ship with the product, one TOML file a class."""
