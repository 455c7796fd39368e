"""PostgreSQL's catalogue, asked in six queries however many tables there are; from release 12 on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from dbtool.engines.catalog import (
    Answer,
    Ask,
    Catalog,
    Listing,
    Relation,
    TablesWanted,
    as_number,
    as_text,
    fit,
    group,
    whole,
)
from dbtool.engines.engine import ParameterValue
from dbtool.engines.postgres.ddl import write_ddl
from dbtool.schema.model import (
    Column,
    Constraint,
    IncomingKey,
    Index,
    Namespace,
    Reference,
    Routine,
    Schema,
    Sequence,
    Table,
    Trigger,
    Type,
)

_KIND = """case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view'
  when 'm' then 'materialized view' when 'f' then 'foreign table' when 'S' then 'sequence'
  when 'i' then 'index' when 'I' then 'partitioned index' end"""
_NOT_SYSTEM = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_ROWS = "case when c.reltuples >= 0 and c.relkind in ('r', 'm', 'f') then c.reltuples::bigint end"
# Pages as the last VACUUM or ANALYZE saw them: pg_table_size would wait for every table's lock.
_BYTES = """case when c.reltuples >= 0 and c.relkind in ('r', 'm') then
    (c.relpages::bigint + coalesce(toast.relpages, 0) + coalesce((select sum(i.relpages) from pg_index x
      join pg_class i on i.oid = x.indexrelid where x.indrelid = c.oid), 0))
    * current_setting('block_size')::bigint end"""
_TOAST = "left join pg_class toast on toast.oid = c.reltoastrelid and c.reltoastrelid <> 0"


def _list_tables(_ask: Ask, wanted: TablesWanted) -> Listing:
    condition, parameters = fit(wanted.pattern, "n.nspname", "c.relname")
    kinds = "'r', 'p', 'v', 'm', 'f'" if wanted.views else "'r', 'p'"
    scope = "n.nspname !~ '^pg_(toast|temp)'" if wanted.system else f"({_NOT_SYSTEM})"
    sql = f"""
select n.nspname as schema, c.relname as name, {_KIND} as kind, {_ROWS} as rows, {_BYTES}::bigint as size,
  d.description as comment
from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  {_TOAST}
  left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
where c.relkind in ({kinds}) and ({scope} or n.oid = pg_my_temp_schema()) and {condition}
order by 1, 2"""
    return Listing(sql, parameters)


_SEARCH = f"""
with objects as (
  select n.nspname, {_KIND} as kind, ''::text as owner, c.relname::text as name, d.description as comment,
    null::text as body
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
    left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i')
  union all
  select n.nspname, 'column', c.relname || '.', a.attname, d.description, null
  from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
  union all
  select n.nspname, case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end, '',
    p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')', d.description, p.prosrc
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    left join pg_description d on d.objoid = p.oid and d.classoid = 'pg_proc'::regclass
  union all
  select n.nspname, 'type', '', t.typname, d.description, null
  from pg_type t join pg_namespace n on n.oid = t.typnamespace
    left join pg_description d on d.objoid = t.oid and d.classoid = 'pg_type'::regclass
  where t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and exists (
    select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')
  union all
  select n.nspname, 'trigger', c.relname || '.', t.tgname, d.description, null
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    left join pg_description d on d.objoid = t.oid and d.classoid = 'pg_trigger'::regclass
  where not t.tgisinternal
)
select n.nspname as schema, n.kind, n.owner || n.name as name,
  case when n.name ilike :term escape '!' then 'name' when n.comment ilike :term escape '!' then 'comment'
    else 'body' end as found_in, n.comment
from objects n
where {_NOT_SYSTEM}
  and (n.name ilike :term escape '!' or n.comment ilike :term escape '!' or n.body ilike :term escape '!')
order by 1, 2, 3"""

_ACTIVITY = """
with sessions as (
  select a.*, pg_blocking_pids(a.pid) as blockers from pg_stat_activity a
  where a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
), waited_for as (select unnest(blockers) as pid from sessions)
select s.pid as id, s.usename as user, s.datname as database,
  coalesce(host(s.client_addr), case when s.client_port = -1 then 'socket' end) as client,
  s.application_name as application, s.state,
  extract(epoch from clock_timestamp() - case when s.state = 'active' then s.query_start else s.state_change end
    )::numeric(12, 1) as seconds,
  extract(epoch from clock_timestamp() - s.xact_start)::numeric(12, 1) as transaction_seconds,
  case when s.wait_event_type in ('Lock', 'LWLock', 'IO', 'IPC', 'BufferPin', 'Timeout')
    then s.wait_event_type || ': ' || s.wait_event end as waits_for,
  nullif(array_to_string(s.blockers, ','), '') as blocked_by, s.query
from sessions s
where (:blocked = 0 or cardinality(s.blockers) > 0 or s.pid in (select pid from waited_for))
  and (:older <= 0 or extract(epoch from clock_timestamp() - coalesce(s.xact_start, s.state_change)) >= :older)
order by transaction_seconds desc nulls last, id"""

_NAMES = f"""
select n.nspname, c.relname, {_KIND}, c.oid, pg_table_is_visible(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') and n.nspname !~ '^pg_toast'
order by 1, 2"""

_WANTED = f"(:oid::oid is null and ({_NOT_SYSTEM}) or c.oid = :oid::oid)"

_RELATIONS = f"""
select c.oid, n.nspname, c.relname, {_KIND}, pg_get_userbyid(c.relowner), d.description, {_ROWS}, {_BYTES},
  case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid, true) end,
  pg_get_expr(c.relpartbound, c.oid), case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end, c.relispartition,
  (select json_agg(inhparent::regclass::text order by inhseqno) from pg_inherits where inhrelid = c.oid),
  (select json_agg(inhrelid::regclass::text order by inhrelid::regclass::text) from pg_inherits
    where inhparent = c.oid),
  json_build_object(
    'access method', (select amname from pg_am where oid = c.relam),
    'tablespace', (select spcname from pg_tablespace where oid = c.reltablespace),
    'options', (select json_agg(o) from unnest(c.reloptions) o),
    'persistence', case c.relpersistence when 'u' then 'unlogged' when 't' then 'temporary' end,
    'row security', case when c.relforcerowsecurity then 'enabled, also for the owner'
      when c.relrowsecurity then 'enabled' end,
    'replica identity', case when c.relkind in ('r', 'p') then case c.relreplident when 'f' then 'full'
      when 'n' then 'nothing' when 'i' then 'index' end end,
    'of type', (select format_type(oid, null) from pg_type where oid = c.reloftype and c.reloftype <> 0),
    'foreign server', (select s.srvname from pg_foreign_table f join pg_foreign_server s on s.oid = f.ftserver
      where f.ftrelid = c.oid),
    'foreign options', (select json_agg(o) from pg_foreign_table f, unnest(f.ftoptions) o where f.ftrelid = c.oid),
    'partition constraint', pg_get_partition_constraintdef(c.oid)),
  case when s.seqrelid is not null then json_build_object('type', format_type(s.seqtypid, null), 'start', s.seqstart,
    'increment', s.seqincrement, 'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycles', s.seqcycle,
    'owned_by', (select d.refobjid::regclass || '.' || quote_ident(a.attname) from pg_depend d
      join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass limit 1)) end
from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_sequence s on s.seqrelid = c.oid
  {_TOAST}
  left join pg_description d on d.objoid = c.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I') and (c.relkind not in ('i', 'I') or :oid::oid is not null)
  and {_WANTED}
order by 2, 3"""

_COLUMNS = f"""
select a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull,
  pg_get_expr(f.adbin, f.adrelid), a.attgenerated <> '', a.attidentity,
  case when a.attcollation <> t.typcollation then (select k.collname from pg_collation k where k.oid = a.attcollation)
    end,
  d.description,
  json_build_object(
    'storage', case when a.attstorage <> t.typstorage then case a.attstorage when 'p' then 'plain'
      when 'e' then 'external' when 'm' then 'main' when 'x' then 'extended' end end,
    'statistics target', case when a.attstattarget >= 0 then a.attstattarget end,
    'compression', case when :oid::oid is not null then case to_json(a)->>'attcompression' when 'p' then 'pglz'
      when 'l' then 'lz4' end end)
from pg_attribute a
  join pg_class c on c.oid = a.attrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_type t on t.oid = a.atttypid
  left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
  left join pg_description d on d.objoid = a.attrelid and d.classoid = 'pg_class'::regclass and d.objsubid = a.attnum
where a.attnum > 0 and not a.attisdropped and (c.relkind in ('r', 'p', 'v', 'm', 'f') or c.oid = :oid::oid)
  and {_WANTED}
order by a.attrelid, a.attnum"""

_CONSTRAINTS = f"""
select k.conrelid, k.conname, k.contype, pg_get_constraintdef(k.oid, true),
  (select json_agg(a.attname order by u.place) from unnest(k.conkey) with ordinality u (number, place)
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number),
  k.confrelid, rn.nspname, r.relname,
  (select json_agg(a.attname order by u.place) from unnest(k.confkey) with ordinality u (number, place)
    join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number),
  k.confupdtype, k.confdeltype, d.description, n.nspname, c.relname
from pg_constraint k
  join pg_class c on c.oid = k.conrelid
  join pg_namespace n on n.oid = c.relnamespace
  left join pg_class r on r.oid = k.confrelid
  left join pg_namespace rn on rn.oid = r.relnamespace
  left join pg_description d on d.objoid = k.oid and d.classoid = 'pg_constraint'::regclass and d.objsubid = 0
where k.contype in ('p', 'u', 'f', 'c', 'x') and ({_WANTED} or k.confrelid = :oid::oid)
order by k.conrelid, position(k.contype in 'pucxf'), k.conname"""

_INDEXES = f"""
select x.indrelid, i.relname, x.indisunique, x.indisprimary, am.amname, pg_get_expr(x.indpred, x.indrelid, true),
  pg_get_indexdef(x.indexrelid), d.description,
  (select json_agg(pg_get_indexdef(x.indexrelid, place, true) order by place)
    from generate_series(1, x.indnkeyatts) place),
  json_build_object(
    'includes', (select json_agg(pg_get_indexdef(x.indexrelid, place, true) order by place)
      from generate_series(x.indnkeyatts + 1, x.indnatts) place),
    'state', case when not x.indisvalid then 'invalid' when not x.indisready then 'not ready' end,
    'clustered', case when x.indisclustered then 'yes' end,
    'replica identity', case when x.indisreplident then 'yes' end,
    'tablespace', (select spcname from pg_tablespace where oid = i.reltablespace),
    'constraint', (select case k.contype when 'p' then 'primary key' when 'u' then 'unique' else 'exclusion' end
      from pg_constraint k where k.conrelid = x.indrelid and k.conindid = x.indexrelid
        and k.contype in ('p', 'u', 'x') limit 1))
from pg_index x
  join pg_class c on c.oid = x.indrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_class i on i.oid = x.indexrelid
  join pg_am am on am.oid = i.relam
  left join pg_description d on d.objoid = i.oid and d.classoid = 'pg_class'::regclass and d.objsubid = 0
where ({_WANTED} or x.indexrelid = :oid::oid) and n.nspname !~ '^pg_toast'
order by x.indrelid, x.indisprimary desc, i.relname"""

_ATTACHED = f"""
select c.oid, 'trigger', t.tgname, pg_get_triggerdef(t.oid, true), t.tgenabled <> 'D',
  obj_description(t.oid, 'pg_trigger')
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
where not t.tgisinternal and {_WANTED}
union all
select c.oid, 'rule', r.rulename, pg_get_ruledef(r.oid, true), r.ev_enabled <> 'D', obj_description(r.oid, 'pg_rewrite')
from pg_rewrite r join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace
where r.rulename <> '_RETURN' and {_WANTED}
union all
select c.oid, 'policy', p.polname, format('create policy %I on %s as %s for %s to %s%s%s', p.polname,
    c.oid::regclass, case when p.polpermissive then 'permissive' else 'restrictive' end,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all' end,
    coalesce((select string_agg(quote_ident(rolname), ', ' order by rolname) from pg_roles
      where oid = any (p.polroles)), 'public'),
    ' using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
    ' with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'), true, obj_description(p.oid, 'pg_policy')
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
where {_WANTED}
union all
select c.oid, 'statistics', s.stxname, pg_get_statisticsobjdef(s.oid), true, obj_description(s.oid, 'pg_statistic_ext')
from pg_statistic_ext s join pg_class c on c.oid = s.stxrelid join pg_namespace n on n.oid = c.relnamespace
where {_WANTED}
union all
select c.oid, 'publication', p.pubname, '', true, null
from pg_publication p
  left join pg_publication_rel r on r.prpubid = p.oid
  join pg_class c on c.oid = r.prrelid or p.puballtables and c.relkind in ('r', 'p')
  join pg_namespace n on n.oid = c.relnamespace
where {_WANTED}
order by 1, 2, 3"""

_OTHERS = f"""
select 'schema' as sort, n.nspname as schema, '' as name, null as kind, pg_get_userbyid(n.nspowner) as extra,
  null as definition, obj_description(n.oid, 'pg_namespace') as comment, null as more
from pg_namespace n
where {_NOT_SYSTEM}
union all
select 'routine', n.nspname, p.proname,
  case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' when 'w' then 'window function'
    else 'function' end,
  l.lanname, case when p.prokind <> 'a' then pg_get_functiondef(p.oid) end, obj_description(p.oid, 'pg_proc'),
  json_build_object('arguments', pg_get_function_arguments(p.oid), 'returns', pg_get_function_result(p.oid))::text
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where {_NOT_SYSTEM} and not exists (select from pg_depend x where x.classid = 'pg_proc'::regclass and x.objid = p.oid
  and x.deptype = 'e')
union all
select 'type', n.nspname, t.typname, case t.typtype when 'e' then 'enum' when 'd' then 'domain'
    when 'c' then 'composite' else 'range' end,
  null, case t.typtype
    when 'd' then format_type(t.typbasetype, t.typtypmod) || case when t.typcollation <> b.typcollation
        then ' collate ' || quote_ident((select collname from pg_collation where oid = t.typcollation)) else '' end
      || coalesce(' default ' || t.typdefault, '') || case when t.typnotnull then ' not null' else '' end
      || coalesce((select string_agg(' constraint ' || quote_ident(k.conname) || ' '
        || pg_get_constraintdef(k.oid, true), '' order by k.conname) from pg_constraint k
        where k.contypid = t.oid and k.contype = 'c'), '')
    when 'c' then '(' || coalesce((select string_agg(quote_ident(a.attname) || ' '
      || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) from pg_attribute a
      where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '') || ')'
    when 'r' then 'range (subtype = ' || (select format_type(r.rngsubtype, null) from pg_range r
      where r.rngtypid = t.oid) || ')'
    when 'e' then 'enum (' || coalesce((select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
      from pg_enum e where e.enumtypid = t.oid), '') || ')'
  end, obj_description(t.oid, 'pg_type'),
  (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid)::text
from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_type b on b.oid = t.typbasetype
where {_NOT_SYSTEM} and not exists (select from pg_depend x where x.classid = 'pg_type'::regclass and x.objid = t.oid
    and x.deptype = 'e')
  and (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and exists (
    select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
order by 1, 2, 3, 8"""

_CONSTRAINT_KINDS = {"p": "primary key", "u": "unique", "f": "foreign key", "c": "check", "x": "exclusion"}
_ACTIONS = {"a": "no action", "r": "restrict", "c": "cascade", "n": "set null", "d": "set default"}
_IDENTITIES = {"a": "always", "d": "by default"}
_READABLE = frozenset({"table", "partitioned table", "view", "materialized view", "foreign table"})


def _read(ask: Ask, only: Relation | None) -> Schema:
    # Compiling queries as large as these takes seconds, and running them does not.
    ask("set jit = off", {})
    schema = _read_all(ask, only)
    ask("reset jit", {})
    return schema


def _read_all(ask: Ask, only: Relation | None) -> Schema:
    wanted: Mapping[str, ParameterValue] = {"oid": None if only is None else int(only.key)}
    (database,) = ask("select current_database()", {})[0] if only is None else ("",)
    relations = ask(_RELATIONS, wanted)
    columns = group(ask(_COLUMNS, wanted), _column)
    constraints = ask(_CONSTRAINTS, wanted)
    own = group(constraints, _constraint)
    incoming = group([(row[5], *row[1:]) for row in constraints if row[2] == "f"], _incoming)
    indexes = group(ask(_INDEXES, wanted), _index)
    attached = group(ask(_ATTACHED, wanted), whole)
    tables, sequences = [], []
    for row in relations:
        oid, kind = str(row[0]), str(row[3])
        if kind == "sequence":
            sequences.append(_sequence(row))
        elif kind in _READABLE or only is not None:
            tables.append(
                _table(row, attached.get(oid, [])).replaced(
                    columns=tuple(columns.get(oid, ())),
                    constraints=tuple(own.get(oid, ())),
                    referenced_by=tuple(incoming.get(oid, ())),
                    indexes=tuple(indexes.get(oid, ())),
                )
            )
    others = group(ask(_OTHERS, {}) if only is None else [], whole)
    return Schema(
        engine="postgresql",
        database=str(database),
        schemas=tuple(_namespace(row) for row in others.get("schema", ())),
        tables=tuple(tables),
        routines=tuple(_routine(row) for row in others.get("routine", ())),
        sequences=tuple(sequences),
        types=tuple(_type(row) for row in others.get("type", ())),
    )


def _table(row: Answer, attached: list[Answer]) -> Table:
    details = _details(row[14])
    for kind, title in (("rule", "rules"), ("policy", "policies"), ("statistics", "statistics"),
                        ("publication", "publications")):  # fmt: skip
        texts = tuple(str(other[3] or other[2]) for other in attached if other[1] == kind)
        details.update({title: texts} if texts else {})
    parents = _list(row[12])
    is_partition = _is_true(row[11])
    return Table(
        schema=str(row[1]),
        name=str(row[2]),
        kind=str(row[3]),
        owner=as_text(row[4]),
        comment=as_text(row[5]),
        rows=as_number(row[6]),
        bytes=as_number(row[7]),
        definition=as_text(row[8]),
        partition_bound=as_text(row[9]),
        partition_key=as_text(row[10]),
        partition_of=parents[0] if is_partition and parents else None,
        inherits=() if is_partition else parents,
        children=_list(row[13]),
        triggers=tuple(
            Trigger(name=str(name), definition=str(definition), enabled=_is_true(enabled), comment=as_text(comment))
            for _, kind, name, definition, enabled, comment in attached
            if kind == "trigger"
        ),
        details=details,
    )


def _column(row: Answer) -> Column:
    expression, is_generated = as_text(row[4]), _is_true(row[5])
    return Column(
        name=str(row[1]),
        type=str(row[2]),
        nullable=_is_true(row[3]),
        default=None if is_generated else expression,
        generated=expression if is_generated else None,
        identity=_IDENTITIES.get(str(row[6])),
        collation=as_text(row[7]),
        comment=as_text(row[8]),
        details=_details(row[9]),
    )


def _constraint(row: Answer) -> Constraint:
    kind = str(row[2])
    return Constraint(
        name=str(row[1]),
        kind=_CONSTRAINT_KINDS[kind],
        definition=str(row[3]),
        columns=_list(row[4]),
        references=None
        if kind != "f"
        else Reference(
            schema=str(row[6]),
            table=str(row[7]),
            columns=_list(row[8]),
            on_update=_ACTIONS[str(row[9])],
            on_delete=_ACTIONS[str(row[10])],
        ),
        comment=as_text(row[11]),
    )


def _incoming(row: Answer) -> IncomingKey:
    return IncomingKey(
        schema=str(row[12]), table=str(row[13]), name=str(row[1]), columns=_list(row[4]), definition=str(row[3])
    )


def _index(row: Answer) -> Index:
    return Index(
        name=str(row[1]),
        unique=_is_true(row[2]),
        primary=_is_true(row[3]),
        method=as_text(row[4]),
        predicate=as_text(row[5]),
        definition=as_text(row[6]),
        comment=as_text(row[7]),
        keys=_list(row[8]),
        details=_details(row[9]),
    )


def _sequence(row: Answer) -> Sequence:
    facts = json.loads(str(row[15]))
    return Sequence(schema=str(row[1]), name=str(row[2]), comment=as_text(row[5]), **facts)


def _namespace(row: Answer) -> Namespace:
    return Namespace(name=str(row[1]), owner=as_text(row[4]), comment=as_text(row[6]))


def _routine(row: Answer) -> Routine:
    facts = json.loads(str(row[7]))
    return Routine(
        schema=str(row[1]),
        name=str(row[2]),
        kind=str(row[3]),
        language=as_text(row[4]),
        definition=as_text(row[5]),
        comment=as_text(row[6]),
        arguments=facts["arguments"],
        returns=facts["returns"],
    )


def _type(row: Answer) -> Type:
    return Type(
        schema=str(row[1]),
        name=str(row[2]),
        kind=str(row[3]),
        definition=str(row[5]),
        labels=_list(row[7]),
        comment=as_text(row[6]),
    )


def _is_true(value: object) -> bool:
    return value == "t"


def _list(value: object) -> tuple[str, ...]:
    return () if value is None else tuple(json.loads(str(value)))


def _details(value: object) -> dict[str, str | tuple[str, ...]]:
    return dict(_spell_details(json.loads(str(value))))


def _spell_details(found: Mapping[str, Any]) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for name, value in found.items():
        if value is not None:
            yield name, tuple(value) if isinstance(value, list) else str(value)


def _list_relations(ask: Ask) -> list[Relation]:
    return [
        Relation(str(schema), str(name), str(kind), str(oid), _is_true(is_visible))
        for schema, name, kind, oid, is_visible in ask(_NAMES, {})
    ]


def _kill(ask: Ask, session: int, connection: bool) -> bool:
    function = "pg_terminate_backend" if connection else "pg_cancel_backend"
    return ask(f"select {function}(pid) from pg_stat_activity where pid = :id", {"id": session}) == [("t",)]


_DATABASES = """
select datname as name, pg_get_userbyid(datdba) as owner, pg_encoding_to_char(encoding) as encoding,
  datcollate as collation from pg_database where not datistemplate order by 1"""

CATALOG = Catalog(
    list_tables=_list_tables,
    search=lambda _ask, term: Listing(_SEARCH, {"term": term}),
    list_activity=lambda _ask, wanted: Listing(_ACTIVITY, {"blocked": int(wanted.blocked), "older": wanted.older}),
    kill=_kill,
    databases=_DATABASES,
    list_relations=_list_relations,
    read=_read,
    write_ddl=write_ddl,
)
