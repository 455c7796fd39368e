-- One of everything that a catalogue knows.
create table customers(id int auto_increment primary key, name varchar(50) not null comment 'full name', country char(2) not null default 'GB', up varchar(50) as (upper(name)) stored, t timestamp default current_timestamp on update current_timestamp, l varchar(9) character set latin1, check (length(name) > 0), unique key nc (name(10), country)) comment 'who buys';
create table `Order Lines`(id int primary key, customer_id int, Total decimal(12,2) default 0, foreign key (customer_id) references customers(id) on delete cascade, key tt (Total desc, id));
create table ev(at date not null, k int, primary key(at)) partition by range columns(at) (partition p0 values less than ('2024-01-01'), partition p1 values less than (maxvalue));
create view rich as select name, sum(Total) s from customers c join `Order Lines` o on o.customer_id=c.id group by 1;
delimiter //
create procedure p(in a int, out b varchar(5)) comment 'pp' begin select 1; end//
create function f(x int) returns int deterministic return x//
create trigger t before insert on customers for each row begin set new.name = trim(new.name); end//
delimiter ;
create event ee on schedule every 1 day do select 1;
create sequence sq;
insert into customers(name) values ('a'),('b'); analyze table customers;
create table more(id int primary key, doc json, point point not null, words text, u uuid default uuid(), d varchar(40) default (concat('a', 'b')), e enum('x','it''s') default 'x', s set('p','q'), v int as (id + 1) virtual, n int unsigned zerofill default 7, h int invisible, constraint big check (n > 3), fulltext key ft (words) comment 'for words', spatial key sp (point), key pre (d(5)) using btree) engine=InnoDB row_format=compressed comment 'it''s all';
create table self(id int primary key, up int, name varchar(5) character set latin1 collate latin1_bin, constraint upwards foreign key (up) references self (id) on delete set null on update cascade);
create table subs(id int, at date) partition by range (year(at)) subpartition by hash (id) subpartitions 2 (partition old values less than (2000), partition new values less than maxvalue);
create table versioned(x int) with system versioning;
create view picky as select id from self where id > 3 with cascaded check option;
