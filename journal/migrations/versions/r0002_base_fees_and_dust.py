"""Fees that are kept in the base bought, and what a closed position left behind; None where there is none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"


def upgrade() -> None:
    op.add_column("fills", sa.Column("base_fee", sa.Text(), nullable=True))
    op.add_column("positions", sa.Column("dust", sa.Text(), nullable=True))
