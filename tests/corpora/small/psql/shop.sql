-- A shop: comments, quotes, data and errors, as scripts have them.
create table goods (id int primary key, name text, price numeric(8, 2)); /* with; one */ create index on goods (name);

copy goods from stdin;
1	tea; green	3.50
2	\N	0.10
\.
create function twice(n int) returns int language sql as $body$

  select n * 2; -- not; the end
$body$;
select id, name,

  twice(id) as "the; double" from goods order by id;
insert into goods values (3, 'it''s; "late"', null);
insert into goods values (3, 'again', 1);
/* outer /* inner; */ still */ select nothing
  from goods where
    missing = 1;
select E'a\'b;', true, 1.10, '2020-02-29'::date, null, '' as empty; select 1 / 0; select 2 as after
;
begin;
select count(*) from goods;
update goods set price = price + 1 where price is not null returning id, price;
commit;
