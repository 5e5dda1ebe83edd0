-- What is remembered of the many targets of a check, and which of them fail at a transition: JSON, '' = one target.
ALTER TABLE state ADD COLUMN targets TEXT NOT NULL DEFAULT '';
ALTER TABLE transition ADD COLUMN failing TEXT NOT NULL DEFAULT '';
