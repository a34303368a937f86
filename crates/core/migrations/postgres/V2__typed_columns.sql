-- Until now each value was a text or a number, as the driver of that time could read them.
ALTER TABLE idempotency_keys
    ALTER COLUMN caller TYPE uuid USING caller::uuid,
    ALTER COLUMN headers TYPE jsonb USING CASE headers WHEN '' THEN '[]' ELSE headers END::jsonb,
    ALTER COLUMN expires_at TYPE timestamptz USING to_timestamp(expires_at);
