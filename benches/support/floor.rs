//! The floor of recording: what it costs to give PostgreSQL the same final rows by plain inserts.
//!
//! What a real drain left in the tables is read out, column by column. The emptied tables get it back in the order in
//! which it was written: one `insert … select … from unnest(…)` for each table and transaction, without a conflict
//! clause, as many rows as a batch of deliveries led to, one connection for each worker. The catalogue says which
//! columns there are. Values travel in PostgreSQL's binary form, so that neither side spends time on texts.
//!
//! It claims nothing, parses nothing and compares nothing with what is there: it is what recording cannot do without.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use sqlx::{
    Connection, Encode, PgConnection, Postgres, Row, Type, ValueRef,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, PgValueFormat, types::Oid},
};
use tokio::task::JoinSet;

use super::tables::assembled;

/// A table's columns that are stored and not computed. An array of arrays cannot be unnested, so an array travels as a
/// text.
const COLUMNS: &str = "
    select quote_ident(attname), format_type(atttypid, atttypmod), typcategory = 'A',
        case when typcategory = 'A' then 'text'::regtype::oid else atttypid end,
        case when typcategory = 'A' then 'text[]'::regtype::oid else typarray end
    from pg_attribute join pg_type on pg_type.oid = atttypid
    where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''
    order by attnum";

/// A column's quoted name, its type, whether that is an array, and the types of its elements and of their array when it
/// travels.
type Described = (String, String, bool, Oid, Oid);

/// Whether rows of another table refer to a table's rows.
const REFERRED: &str = "
    select exists (
        select from pg_constraint where contype = 'f' and confrelid = $1::text::regclass and conrelid <> confrelid
    )";

/// The rows to write.
pub(crate) struct Floor {
    tables: Vec<Table>,
}

/// One table's rows.
struct Table {
    insert: Arc<str>,
    columns: Vec<Column>,
    rows: usize,
    /// Rows of another table refer to these.
    referred: bool,
}

/// One column's values.
struct Column {
    element: Oid,
    array: Oid,
    values: Vec<Option<Vec<u8>>>,
}

impl Floor {
    /// Reads all rows of these tables.
    pub(crate) async fn read(conn: &mut PgConnection, names: &[String]) -> anyhow::Result<Self> {
        let mut tables = Vec::new();
        for name in names {
            tables.push(Table::read(conn, name).await?);
        }
        Ok(Self { tables })
    }

    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|it| it.rows).sum()
    }

    /// Writes the rows in so many transactions, each with its share of every table, over these connections at once.
    pub(crate) async fn write(
        self: Arc<Self>,
        conns: Vec<PgConnection>,
        batches: usize,
    ) -> anyhow::Result<(Vec<PgConnection>, Duration)> {
        let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
        let mut conns = conns;
        // A batch may hold rows that refer to another batch's, so all that are referred to go first.
        if self.tables.iter().any(|it| it.referred) {
            let conn = conns.first_mut().context("no connection")?;
            self.write_batch(conn, true, 0..1, 1).await?;
        }
        let mut writing = JoinSet::new();
        for mut conn in conns {
            let (floor, next) = (self.clone(), next.clone());
            writing.spawn(async move {
                loop {
                    let batch = next.fetch_add(1, Ordering::Relaxed);
                    if batch >= batches {
                        return anyhow::Ok(conn);
                    }
                    floor.write_batch(&mut conn, false, batch..batch + 1, batches).await?;
                }
            });
        }
        let mut conns = Vec::new();
        while let Some(done) = writing.join_next().await {
            conns.push(done??);
        }
        Ok((conns, began.elapsed()))
    }

    async fn write_batch(
        &self,
        conn: &mut PgConnection,
        referred: bool,
        batch: Range<usize>,
        batches: usize,
    ) -> anyhow::Result<()> {
        let mut transaction = conn.begin().await?;
        for table in self.tables.iter().filter(|it| it.referred == referred) {
            let rows = table.rows * batch.start / batches..table.rows * batch.end / batches;
            if rows.is_empty() {
                continue;
            }
            let mut insert = sqlx::query(assembled(table.insert.clone()));
            for Column { element, array, values } in &table.columns {
                let values = values.get(rows.clone()).context("a column that is too short")?;
                insert = insert.bind(Array { element: *element, array: *array, values });
            }
            let written = insert.execute(&mut *transaction).await?.rows_affected();
            ensure!(usize::try_from(written)? == rows.len(), "the floor wrote {written} of {} rows", rows.len());
        }
        Ok(transaction.commit().await?)
    }
}

impl Table {
    async fn read(conn: &mut PgConnection, name: &str) -> anyhow::Result<Self> {
        let known: Vec<Described> = sqlx::query_as(COLUMNS).bind(name).fetch_all(&mut *conn).await?;
        let referred = sqlx::query_scalar(REFERRED).bind(name).fetch_one(&mut *conn).await?;
        let listed = |column: fn(usize, &Described) -> String| {
            known.iter().enumerate().map(|(at, it)| column(at, it)).collect::<Vec<_>>().join(", ")
        };
        let names = listed(|_, (name, ..)| name.clone());
        let read = listed(|_, (name, _, is_array, ..)| if *is_array { format!("{name}::text") } else { name.clone() });
        let values = listed(|_, (name, kind, is_array, ..)| match is_array {
            true => format!("{name}::{kind}"),
            false => name.clone(),
        });
        let parameters = listed(|at, _| format!("${}", at + 1));
        // The transaction's number and the place in the table are the order of writing.
        let read = format!("select {read} from {name} order by xmin::text::bigint, tableoid, ctid");
        let rows = sqlx::query(assembled(read)).fetch_all(conn).await?;
        let mut columns = Vec::new();
        for (at, (.., element, array)) in known.iter().enumerate() {
            let mut values = Vec::with_capacity(rows.len());
            for row in &rows {
                let value = row.try_get_raw(at)?;
                ensure!(value.is_null() || value.format() == PgValueFormat::Binary, "a value that came as a text");
                let bytes = || value.as_bytes().map(<[u8]>::to_vec).map_err(|error| anyhow::anyhow!(error));
                values.push(if value.is_null() { None } else { Some(bytes()?) });
            }
            columns.push(Column { element: *element, array: *array, values });
        }
        let insert = format!(
            "insert into {name} ({names}) overriding system value \
             select {values} from unnest({parameters}) as given ({names})"
        );
        Ok(Self { insert: insert.into(), columns, rows: rows.len(), referred })
    }
}

/// A part of a column, as an array that PostgreSQL reads without parsing.
struct Array<'v> {
    element: Oid,
    array: Oid,
    values: &'v [Option<Vec<u8>>],
}

impl Type<Postgres> for Array<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("anyarray")
    }
}

impl Encode<'_, Postgres> for Array<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(self.array))
    }

    /// One dimension, whether there are nulls, the elements' type, how many there are, the first index; then each
    /// element after its length.
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let nulls = i32::from(self.values.iter().any(Option::is_none));
        for number in [1, nulls] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        buffer.extend_from_slice(&self.element.0.to_be_bytes());
        for number in [i32::try_from(self.values.len())?, 1] {
            buffer.extend_from_slice(&number.to_be_bytes());
        }
        for value in self.values {
            let length = value.as_ref().map_or(Ok(-1), |it| i32::try_from(it.len()))?;
            buffer.extend_from_slice(&length.to_be_bytes());
            buffer.extend_from_slice(value.as_deref().unwrap_or_default());
        }
        Ok(IsNull::No)
    }
}
