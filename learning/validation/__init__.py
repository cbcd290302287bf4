"""What a model is judged by: folds that no label leaks across, and what a search over many trials is worth."""
