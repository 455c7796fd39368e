-- One of everything that a catalogue knows.
create table customers(id int auto_increment primary key, name varchar(50) not null comment 'full name', country char(2) not null default 'GB', up varchar(50) as (upper(name)) stored, t timestamp default current_timestamp on update current_timestamp, l varchar(9) character set latin1, check (length(name) > 0), unique key nc (name(10), country)) comment 'who buys';
create table `Order Lines`(id int primary key, customer_id int, Total decimal(12,2) default 0, hidden int default 7 invisible, place point srid 4326, d json default (json_array()), foreign key (customer_id) references customers(id) on delete cascade, key tt (Total desc, id), key fn ((abs(Total)), (lower('It''s'))), key off (id) invisible, constraint `weak` check (Total < 1000) not enforced);
create table ev(at date not null, k int, e vector(3), primary key(at)) partition by range columns(at) (partition p0 values less than ('2024-01-01'), partition p1 values less than (maxvalue));
create view rich as select name, sum(Total) s from customers c join `Order Lines` o on o.customer_id=c.id group by 1;
delimiter //
create procedure p(in a int, out b varchar(5)) comment 'pp' begin select 1; end//
create function f(x int) returns int deterministic return x//
create trigger t before insert on customers for each row begin set new.name = trim(new.name); end//
delimiter ;
create event ee on schedule every 1 day do select 1;
insert into customers(name) values ('a'),('b'); analyze table customers;
