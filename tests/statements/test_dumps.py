from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.statements.feeding import split_all, texts

MARIADB_DUMP = b"""/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB
--
/*!40101 SET NAMES utf8mb4 */;
/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;
LOCK TABLES `t` WRITE;
INSERT INTO `t` VALUES (1,_binary '\\0\x01\xff\\';\\\\','a;b'),
(2,NULL,'it\\'s');
UNLOCK TABLES;
/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`localhost`*/ /*!50003 TRIGGER tr BEFORE INSERT ON t FOR EACH ROW
BEGIN
  SET NEW.s = ';;'; -- it's; one
  IF NEW.id > 1 THEN SET NEW.v = 'x'; END IF; /* ; */
END */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
DELIMITER ;;
CREATE DEFINER=`root`@`localhost` PROCEDURE `p`()
begin select 1; end ;;
DELIMITER ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`root`@`localhost` SQL SECURITY DEFINER */
/*!50001 VIEW `w` AS select ';' AS `x` */;
-- Dump completed
"""

POSTGRESQL_DUMP = b"""--
-- PostgreSQL database dump
--

\\restrict yh2Nh

SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE FUNCTION public.f(x integer) RETURNS integer
    LANGUAGE plpgsql
    AS $_$ begin -- it's; $1
 return $1; end; $_$;
CREATE FUNCTION public.g() RETURNS SETOF integer
    LANGUAGE sql
    BEGIN ATOMIC
 SELECT 1;
 SELECT CASE WHEN true THEN 2 END AS "case";
END;
COPY public.t (id, s) FROM stdin;
1\ta;b
2\t\\\\.
\\.

COPY public.empty (id) FROM stdin;
\\.


SELECT pg_catalog.setval('public.t_id_seq', 3, true);
CREATE RULE r AS
    ON UPDATE TO public.t DO ( INSERT INTO public.t (s)
  VALUES ('a;)');
 DELETE FROM public.t;
);
COMMENT ON TABLE public.t IS E'it''s; \\\\ \\'';
--
-- PostgreSQL database dump complete
--

\\unrestrict yh2Nh

"""

SQLITE_DUMP = b"""PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE IF NOT EXISTS "a;b" (id integer primary key, x, y blob, [c;d] text);
INSERT INTO "a;b" VALUES(1,'it''s;',X'00ff',replace('line\\nbreak;','\\n',char(10)));
CREATE VIEW v as select 'a;b', "id" from "a;b";
CREATE TRIGGER tr after insert on "a;b" begin select case when new.id then 1 end; update "a;b" set x='end;'; end;
CREATE TRIGGER tr2 instead of delete on v begin delete from "a;b"; /* ; */ end;
COMMIT;
"""


def test_a_mariadb_dump_comes_apart() -> None:
    found = texts(MARIADB_DUMP, "mariadb")
    assert [text.splitlines()[0][:40] for text in found] == [
        b"/*!40101 SET NAMES utf8mb4 */",
        b"/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOT",
        b"LOCK TABLES `t` WRITE",
        b"INSERT INTO `t` VALUES (1,_binary '\\0\x01\xff\\",
        b"UNLOCK TABLES",
        b"/*!50003 SET @saved_sql_mode       = @@s",
        b"/*!50003 CREATE*/ /*!50017 DEFINER=`root",
        b"/*!50003 SET sql_mode              = @sa",
        b"CREATE DEFINER=`root`@`localhost` PROCED",
        b"/*!50001 CREATE ALGORITHM=UNDEFINED */",
    ]
    assert found[6].endswith(b"/* ; */\nEND */")
    assert found[8].endswith(b"begin select 1; end")


def test_a_dump_of_mariadb_is_the_same_for_a_profile_that_says_mysql() -> None:
    assert texts(MARIADB_DUMP, "mysql") == texts(MARIADB_DUMP, "mariadb")


def test_a_sandbox_line_in_its_older_form_is_passed_over() -> None:
    for dialect in ("mysql", "mariadb"):
        assert texts(b"/*!999999\\- enable the sandbox mode */ \nselect 1;", dialect) == [b"select 1"]


def test_a_postgresql_dump_comes_apart() -> None:
    statements = split_all(POSTGRESQL_DUMP, "postgresql")
    assert [(statement.words[:2], statement.line) for statement in statements] == [
        (("SET", "STATEMENT_TIMEOUT"), 7),
        (("SELECT", "PG_CATALOG.SET_CONFIG"), 8),
        (("CREATE", "FUNCTION"), 9),
        (("CREATE", "FUNCTION"), 13),
        (("COPY", "PUBLIC.T"), 19),
        (("COPY", "PUBLIC.EMPTY"), 24),
        (("SELECT", "PG_CATALOG.SETVAL"), 28),
        (("CREATE", "RULE"), 29),
        (("COMMENT", "ON"), 34),
    ]
    assert texts(POSTGRESQL_DUMP, "postgresql") == [statement.text for statement in statements]


def test_an_sqlite_dump_loads_as_sqlite_itself_loads_it() -> None:
    with closing(sqlite3.connect(":memory:")) as ours, closing(sqlite3.connect(":memory:")) as theirs:
        ours.isolation_level = None
        for text in texts(SQLITE_DUMP, "sqlite"):
            ours.execute(text.decode())
        theirs.executescript(SQLITE_DUMP.decode())
        assert list(ours.iterdump()) == list(theirs.iterdump())
        assert len(list(ours.iterdump())) == 7
