//! Writes tables for spreadsheets: CSV that Excel reads as UTF-8. No cell is a formula, wherever a program thinks
//! that a cell begins.

use serde::Serialize;

use crate::admin::{door::call::Answer, spec::problem::Problem};

/// A table's media type.
pub const CSV: &str = "text/csv";

/// The byte order mark, by which Excel recognises UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The header with the cursor of a table's next part.
const NEXT_CURSOR: &str = "x-next-cursor";

/// A table that is being written.
pub struct Sheet(csv::Writer<Vec<u8>>);

impl Sheet {
    /// One with this first line.
    pub fn new(columns: &[&str]) -> Result<Self, Problem> {
        let begun = BYTE_ORDER_MARK.as_bytes().to_vec();
        let mut sheet = Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(begun));
        sheet.row(columns)?;
        Ok(sheet)
    }

    /// Adds a line.
    pub fn row<C: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = C>) -> Result<(), Problem> {
        self.0.write_record(cells.into_iter().map(|cell| guard(cell.as_ref()))).map_err(Problem::internal)
    }

    /// The file of that name; `next_cursor` says where it goes on.
    pub fn answer(self, name: &str, next_cursor: Option<String>) -> Result<Answer, Problem> {
        let bytes = self.0.into_inner().map_err(|it| Problem::internal(it.into_error()))?;
        let mut answer = Answer::file(200, format!("{CSV}; charset=utf-8"), bytes.into());
        answer.headers.push(("content-disposition", format!("attachment; filename=\"{name}.csv\"")));
        answer.headers.extend(next_cursor.map(|cursor| (NEXT_CURSOR, cursor)));
        Ok(answer)
    }
}

/// A table of rows with named columns; the line of names is written even without rows.
pub fn of_rows<R: Serialize + Default>(rows: &[R]) -> Result<Sheet, Problem> {
    // The writer takes the names from the first row, so an empty one is written first and removed again.
    let mut plain = csv::Writer::from_writer(Vec::new());
    plain.serialize(R::default()).map_err(Problem::internal)?;
    for row in rows {
        plain.serialize(row).map_err(Problem::internal)?;
    }
    let plain = plain.into_inner().map_err(|it| Problem::internal(it.into_error()))?;
    let mut plain = csv::Reader::from_reader(plain.as_slice());
    let columns = plain.headers().map_err(Problem::internal)?.clone();
    let mut sheet = Sheet::new(&Vec::from_iter(columns.iter()))?;
    for record in plain.byte_records().skip(1) {
        sheet.row(record.map_err(Problem::internal)?.iter())?;
    }
    Ok(sheet)
}

/// Puts an apostrophe before a cell that a spreadsheet would run as a formula, which makes it a text: cells hold text
/// from outside, and an administrator opens the file. Numbers and a lone dash stay.
///
/// Programs do not agree on where a cell begins: some split at semicolons or tabs, ignore quotes, skip blanks, or
/// treat full-width signs like the usual ones. So a formula is looked for after each of these.
fn guard(cell: &[u8]) -> Vec<u8> {
    let cell = String::from_utf8_lossy(cell);
    let mut guarded = String::with_capacity(cell.len());
    let mut begins = true;
    for (at, letter) in cell.char_indices() {
        if begins && FORMULA_SIGNS.contains(&letter) && !is_number(cell.get(at..).unwrap_or_default()) {
            guarded.push('\'');
        }
        guarded.push(letter);
        begins = SEPARATORS.contains(&letter) || begins && is_skipped(letter);
    }
    guarded.into_bytes()
}

/// The characters that begin a formula, including those of East Asian keyboards.
const FORMULA_SIGNS: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

/// Characters that a program may take for the end of a cell.
const SEPARATORS: [char; 6] = [',', ';', '\t', '|', '\r', '\n'];

/// Characters that a program may skip at a cell's beginning: quotes, blanks, and invisible ones.
fn is_skipped(letter: char) -> bool {
    let unseen = matches!(letter, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}');
    unseen || letter.is_whitespace() || letter.is_control() || "\"'\u{201c}\u{201d}\u{ff02}".contains(letter)
}

/// Whether a text that begins with a sign is a negative number or a dash up to the next separator, and no formula.
fn is_number(text: &str) -> bool {
    let end = text.find(SEPARATORS).unwrap_or(text.len());
    let digits = text.get(..end).and_then(|it| it.strip_prefix('-'));
    digits.is_some_and(|it| {
        let (whole, part) = it.split_once('.').unwrap_or((it, "0"));
        [whole, part].iter().all(|it| it.bytes().all(|it| it.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_looks_like_a_formula_becomes_text_and_a_number_stays_a_number() {
        for formula in ["=1+1", "+1", "-1+1", "@sum(a1)", "--1", "+8613800000000", "-1.x", "＝1", "＋1", "－1", "＠a"]
        {
            assert_eq!(guard(formula.as_bytes()), format!("'{formula}").as_bytes(), "{formula}");
        }
        for harmless in ["", "-", "1", "-3", "-3.5", "a=1", "2026-01-31", "张三", "1,-2", "a-b, c", "09:30-10:00"] {
            assert_eq!(guard(harmless.as_bytes()), harmless.as_bytes());
        }
    }

    #[test]
    fn a_formula_after_skipped_characters_or_separators_becomes_text_too() {
        for (cell, guarded) in [
            ("\t=1", "\t'=1"),
            ("\r=1", "\r'=1"),
            ("\n=1", "\n'=1"),
            (" =1", " '=1"),
            ("\u{3000}=1", "\u{3000}'=1"),
            ("\u{feff}=1", "\u{feff}'=1"),
            ("\u{200b}\u{1}@a", "\u{200b}\u{1}'@a"),
            ("\"=1", "\"'=1"),
            ("'=1", "''=1"),
            (";=1", ";'=1"),
            ("a;=1", "a;'=1"),
            ("a,=1,b", "a,'=1,b"),
            ("a\t\"=1", "a\t\"'=1"),
            ("a|+1", "a|'+1"),
            ("a; ＝1", "a; '＝1"),
            ("one\n-2+3", "one\n'-2+3"),
            ("a;-2;=1", "a;-2;'=1"),
        ] {
            assert_eq!(String::from_utf8(guard(cell.as_bytes())).expect("text"), guarded, "{cell:?}");
        }
    }

    #[test]
    fn a_table_without_rows_still_says_what_its_columns_are() {
        let sheet = of_rows::<crate::tables::reports::report::MessageVolumes>(&[]).expect("written");
        assert_eq!(
            String::from_utf8(sheet.0.into_inner().expect("whole")).expect("a text"),
            "\u{feff}day,corpid,contact_type,messages,from_customers,from_members,by_hand,customers\r\n"
        );
    }

    #[test]
    fn a_cell_is_quoted_where_it_must_be() {
        let mut sheet = Sheet::new(&["a", "b"]).expect("begun");
        sheet.row(["a,\"b\"\nc", "=HYPERLINK(\"x\",1)"]).expect("written");
        let bytes = sheet.0.into_inner().expect("whole");
        let expected = "\u{feff}a,b\r\n\"a,\"\"b\"\"\nc\",\"'=HYPERLINK(\"\"x\"\",1)\"\r\n";
        assert_eq!(String::from_utf8(bytes).expect("text"), expected);
    }
}
