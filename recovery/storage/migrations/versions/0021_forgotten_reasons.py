"""What the journal says of a forgotten customer: the one change to it that is allowed is the erasing of digits and of people's notes."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_ERASED = """
CREATE FUNCTION erased_reason(reason text, fact text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN fact = 'PersonDecided' THEN 'a person decided (the note was erased with the customer)'
    ELSE regexp_replace(regexp_replace(reason, '••[0-9]+', '••', 'g'),
                        'number ending [0-9a-z]+ → [0-9a-z]+', 'number changed', 'g') END
$$
"""
_GUARD = """
CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.reason = erased_reason(OLD.reason, OLD.fact)
       AND NEW.reason <> OLD.reason AND to_jsonb(NEW) - 'reason' = to_jsonb(OLD) - 'reason'
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'check_violation';
END $$
"""
_TRIGGER = "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal FOR EACH ROW EXECUTE FUNCTION {}()"


def upgrade() -> None:
    op.execute(_ERASED)
    op.execute(_GUARD)
    op.execute("DROP TRIGGER append_only ON journal")
    op.execute(_TRIGGER.format("journal_is_append_only"))


def downgrade() -> None:
    op.execute("DROP TRIGGER append_only ON journal")
    op.execute(_TRIGGER.format("append_only"))
    op.execute("DROP FUNCTION journal_is_append_only")
    op.execute("DROP FUNCTION erased_reason")
