-- A shop: comments, quotes, triggers and errors, as scripts have them.
CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price REAL, raw BLOB); CREATE INDEX names ON goods (name)
;
CREATE TABLE log (what TEXT);
CREATE TRIGGER told AFTER INSERT ON goods BEGIN
  INSERT INTO log VALUES ('new; ' || new.id);
END;
INSERT INTO goods VALUES (1, 'it''s; "late"', 3.5, x'00ff');
INSERT INTO goods VALUES (1, 'again', 1, NULL);
SELECT id, name, price, raw, NULL, '', 0.1, 1e20 FROM goods;
SELECT nothing
  FROM goods WHERE missing = 1;
SELECT * FROM log; SELEKT 1;
SELECT 2 AS after;
