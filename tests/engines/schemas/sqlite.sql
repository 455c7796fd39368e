-- One of everything that a catalogue knows.
create table customers(
  id integer primary key autoincrement,
  name text not null check (length(name) > 0), -- not check (this)
  country text default 'GB',
  up text as (upper(name)) stored,
  unique (name, country)
);
create table "Order Lines"(
  id integer primary key,
  customer_id int references customers(id) on delete cascade,
  total numeric constraint positive check (total >= 0)
);
create index o_c on "Order Lines"(customer_id) where total > 0;
create index o_e on "Order Lines"(abs(total), id desc);
create table pairs(a int, b int, primary key (b, a)) without rowid;
create table points(x int, y int, foreign key (x, y) references pairs);
create view rich as select name from customers;
create trigger t after insert on customers begin select 1; end;
create virtual table words using fts5(body);
insert into customers(name) values ('a'), ('b');
analyze;
create table "strict"(id integer primary key, kind text not null default 'x' collate nocase check (kind in ('x', 'y, z')), v int as (id * 2) virtual, up int references "strict"(id) on update set null deferrable initially deferred, constraint both unique (kind, v) on conflict replace) strict;
create unique index partly on "strict"(lower(kind)) where up is not null;
create view richer(n) as select name from rich where name <> 'x; y';
create trigger back instead of insert on richer begin insert into customers(name) values (new.n); end;
