//! Secrets that handshakes handed over.

use rusqlite::{Connection, params};

use super::encoding::to_i64;
use super::tx::Tx;
use crate::model::{Millis, Secret};
use crate::store::{Learning, LearntSecret, MAX_LEARNT, StoreError};

/// The first schema that has them.
pub(super) const SINCE: i64 = 4;

/// One that is known already becomes the newest; one beyond [`MAX_LEARNT`] is not kept.
pub(super) fn learn(tx: &Tx<'_>, source: &str, secret: &Secret) -> Result<Learning, StoreError> {
    let others: i64 = tx
        .sql("SELECT count(*) FROM source_secrets WHERE source = ?1 AND secret <> ?2")?
        .query_row(params![source, secret.expose()], |row| row.get(0))?;
    if others >= to_i64(MAX_LEARNT) {
        return Ok(Learning::Full);
    }
    tx.sql("DELETE FROM source_secrets WHERE source = ?1 AND secret = ?2")?
        .execute(params![source, secret.expose()])?;
    tx.sql(
        "INSERT INTO source_secrets (n, source, secret, learnt_at) \
         SELECT coalesce(max(n), 0) + 1, ?1, ?2, ?3 FROM source_secrets",
    )?
    .execute(params![source, secret.expose(), tx.now.0])?;
    Ok(Learning::Kept)
}

/// How many there were.
pub(super) fn forget(tx: &Tx<'_>, source: &str) -> Result<usize, StoreError> {
    Ok(tx.sql("DELETE FROM source_secrets WHERE source = ?1")?.execute([source])?)
}

pub(super) fn all(conn: &Connection) -> Result<Vec<LearntSecret>, StoreError> {
    let mut select =
        conn.prepare_cached("SELECT source, secret, learnt_at FROM source_secrets ORDER BY source, n DESC")?;
    let found = select.query_map([], |row| {
        let secret = Secret::from_text(row.get::<_, String>(1)?);
        Ok(LearntSecret { source: row.get(0)?, secret, at: Millis(row.get(2)?) })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
