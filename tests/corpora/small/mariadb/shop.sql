-- A shop: comments, quotes, bodies and errors, as scripts have them.
--
CREATE TABLE goods (id INT PRIMARY KEY, name VARCHAR(40), price DECIMAL(8, 2), raw VARBINARY(4));
# another; kind
INSERT INTO goods VALUES (1, 'tea; "green"', 3.5, x'00ff'), /*!50000 (2, NULL, 0.1, NULL) */;
INSERT INTO goods VALUES (2, NULL, 0.1, NULL);
DELIMITER $$
CREATE PROCEDURE twice(n INT)
BEGIN
  -- not; the end
  SELECT n * 2 AS doubled; SELECT 'two;';
END$$
CREATE TRIGGER dear BEFORE UPDATE ON goods FOR EACH ROW SET NEW.price = NEW.price * 2$$
DELIMITER ;
CALL twice(4);
SELECT * FROM goods ORDER BY id;
INSERT INTO goods VALUES (1, 'again', 1, NULL);
SELECT nothing
FROM missing;
UPDATE goods SET price = 5 WHERE id = 1; SELECT price, '', NULL, 'a\tb\\' FROM goods; SELEKT 1;
