//! Tables as comma-separated values: a line of headings, then a line a row.

use anyhow::Result;

/// The bytes of a table.
///
/// # Errors
/// If a row is not as long as the headings.
pub fn to_bytes<R>(columns: &[&str], rows: impl IntoIterator<Item = R>) -> Result<Vec<u8>>
where
    R: IntoIterator<Item: AsRef<[u8]>>,
{
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns)?;
    for row in rows {
        writer.write_record(row)?;
    }
    Ok(writer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_quotes_is_quoted_and_a_short_row_refused() {
        let bytes = to_bytes(&["name", "value"], [["a, b", "1"], ["c \"d\"", "2"]]).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "name,value\n\"a, b\",1\n\"c \"\"d\"\"\",2\n");
        assert!(to_bytes(&["name", "value"], [["a"]]).is_err());
    }
}
