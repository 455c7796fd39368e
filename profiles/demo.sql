-- A small shop, for trying dbtool out. It can be loaded again and again.
PRAGMA foreign_keys = ON;

BEGIN;

DROP VIEW IF EXISTS revenue;
DROP TABLE IF EXISTS orders;
DROP TABLE IF EXISTS customers;

CREATE TABLE customers (
    id      INTEGER PRIMARY KEY,
    name    TEXT NOT NULL,
    country TEXT NOT NULL,
    email   TEXT
);

CREATE TABLE orders (
    id          INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    item        TEXT NOT NULL,
    price       REAL NOT NULL,
    ordered_on  TEXT NOT NULL,
    shipped_on  TEXT
);

-- A trigger's body holds semicolons; it is one statement all the same.
CREATE TRIGGER no_time_travel BEFORE UPDATE OF shipped_on ON orders
BEGIN
    SELECT RAISE(ABORT, 'shipped before it was ordered') WHERE NEW.shipped_on < NEW.ordered_on;
END;

INSERT INTO customers (id, name, country, email) VALUES
    (1, 'Ada Lovelace', 'GB', 'ada@example.com'),
    (2, 'Grace Hopper', 'US', 'grace@example.com'),
    (3, 'Søren Kierkegaard', 'DK', NULL),
    (4, '山田 太郎', 'JP', 'taro@example.com'),
    (5, 'Conan O''Brien', 'US', '');

INSERT INTO orders (id, customer_id, item, price, ordered_on, shipped_on) VALUES
    (1, 1, 'Analytical engine, used', 1499.0, '2026-01-12', '2026-01-15'),
    (2, 2, 'Nanosecond of wire', 0.3, '2026-01-13', '2026-01-13'),
    (3, 3, 'Either', 12.5, '2026-02-01', '2026-02-03'),
    (4, 3, 'Or', 12.5, '2026-02-01', NULL),
    (5, 4, '茶碗', 85.25, '2026-02-14', '2026-02-20'),
    (6, 5, 'String of "quotes"', 19.99, '2026-03-01', NULL),
    (7, 1, 'Punched cards, 1,000', 45.0, '2026-03-02', '2026-03-04');

CREATE VIEW revenue AS
    SELECT country, count(*) AS orders, round(sum(price), 2) AS total
    FROM orders JOIN customers ON customers.id = customer_id
    GROUP BY country;

COMMIT;
