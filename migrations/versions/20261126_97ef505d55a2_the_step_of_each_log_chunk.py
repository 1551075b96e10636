"""the step of each log chunk

Revision: 97ef505d55a2, after 7d82d6b28d67
"""

import sqlalchemy as sa
from alembic import op

revision = '97ef505d55a2'
down_revision = '7d82d6b28d67'
branch_labels = None
depends_on = None

OF_THE_ATTEMPT = """
update log_chunk c set step_id = a.step_id from log_stream s join step_attempt a on a.id = s.attempt_id
where s.id = c.stream_id
"""


def upgrade() -> None:
    op.add_column('log_chunk', sa.Column('step_id', sa.Uuid(), nullable=True))
    op.execute(OF_THE_ATTEMPT)
    op.alter_column('log_chunk', 'step_id', nullable=False)
    op.create_index('ix_log_chunk_step', 'log_chunk', ['step_id', 'batch', 'stream_id', 'seq'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_log_chunk_step', table_name='log_chunk')
    op.drop_column('log_chunk', 'step_id')
