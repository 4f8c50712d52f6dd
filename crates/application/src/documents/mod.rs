//! Readers of uploaded requirement documents, one file for each format. They depend only on the bytes.

mod csv;
mod docx;
mod markdown;
mod text;

use tokio::sync::Semaphore;

use super::Error;

/// Column names for requirements in a table, in order of preference.
const COLUMNS: [&str; 3] = ["requirement", "text", "description"];

/// Limits of lines and of table fields. Each takes memory beside its text; a document within the limit of
/// requirements has a hundredth of them.
const MAX_LINES: usize = 100_000;
const MAX_FIELDS: usize = 500_000;
/// Documents read at once; each may take several times its size.
const AT_ONCE: usize = 2;

static READING: Semaphore = Semaphore::const_new(AT_ONCE);

#[derive(Debug)]
pub struct Form {
    pub word: &'static str,
    read: fn(&str) -> Result<Vec<String>, Error>,
}

/// All formats.
pub const FORMS: &[Form] = &[
    Form { word: "text", read: text::read },
    Form { word: "markdown", read: markdown::read },
    Form { word: "csv", read: csv::read },
    Form { word: "docx", read: docx::read },
];

impl Form {
    pub fn parse(word: &str) -> Result<&'static Form, Error> {
        FORMS.iter().find(|form| form.word == word).ok_or_else(|| {
            let known: Vec<&str> = FORMS.iter().map(|form| form.word).collect();
            Error::invalid("format", format!("The format is unknown. Use one of {}.", known.join(", ")))
        })
    }

    /// Reads the requirements in document order, on a blocking thread.
    pub(super) async fn read(&'static self, content: String) -> Result<Vec<String>, Error> {
        // The semaphore is never closed.
        let turn = READING.acquire().await.map_err(|error| Error::Internal(error.to_string()))?;
        let read = move || {
            // Held until the work is done, also when the caller has disconnected.
            let _turn = turn;
            // Byte order mark of spreadsheets.
            read_within_limits(self, content.trim_start_matches('\u{feff}'))
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| Error::Internal("the reader of a document panicked".to_owned()))?
    }
}

fn read_within_limits(form: &Form, content: &str) -> Result<Vec<String>, Error> {
    if content.bytes().filter(|byte| *byte == b'\n').count() >= MAX_LINES {
        return Err(Error::invalid(
            "content",
            format!("The document has more than {MAX_LINES} lines. Send one part of it at a time."),
        ));
    }
    (form.read)(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, content: &str, expected: &[&str]) {
        let read = Form::parse(word).unwrap().read;
        assert_eq!(read(content).unwrap(), expected, "{content:?}");
    }

    #[test]
    fn documents_are_split_into_requirements() {
        check(
            "text",
            "A member borrows\r\na book.\r\n\r\n\r\n  A book has a title.  ",
            &["A member borrows a book.", "A book has a title."],
        );
        check("text", " \n\t\n", &[]);
        check(
            "markdown",
            "# Loans\n\nMembers borrow\nbooks.\n\n- Each loan has a date.\n- [x] A loan ends\n  after a \
             month.\n1. First.\n2) Second.\n\n---\n```\n- code\n```\n> A remark.\n",
            &[
                "Members borrow books.",
                "Each loan has a date.",
                "A loan ends after a month.",
                "First.",
                "Second.",
                "A remark.",
            ],
        );
        check(
            "csv",
            "id,Requirement\n1,\"A loan, once\nbegun, ends.\"\n2,\n3,\"He said \"\"no\"\".\"\n",
            &["A loan, once begun, ends.", "He said \"no\"."],
        );
        check("csv", "Text;Owner\nA book has a title.;Ada\n", &["A book has a title."]);
        check("csv", "anything\nOne.\nTwo.\n", &["One.", "Two."]);
        let error = csv::read("id,owner\n1,Ada\n").unwrap_err().to_string();
        assert!(error.contains("`requirement`"), "{error}");
        // Not lists.
        check("markdown", "2024 was a year.\n-5 degrees", &["2024 was a year. -5 degrees"]);
    }

    #[tokio::test]
    async fn lines_and_fields_are_limited() {
        for (word, content, words) in [
            ("text", "\n".repeat(MAX_LINES), "100000 lines"),
            ("markdown", "- \n".repeat(MAX_LINES), "100000 lines"),
            ("csv", "a\n".repeat(MAX_LINES), "100000 lines"),
            // Fields of one line, of many, and of the first line.
            ("csv", format!("text\n{}", ",".repeat(MAX_FIELDS + 1)), "500000 fields"),
            (
                "csv",
                format!("text;x\n{}", "a;b;c;d;e;f;g;h;i;j;k\n".repeat(MAX_FIELDS / 10)),
                "500000 fields",
            ),
            ("csv", ",".repeat(MAX_FIELDS + 1), "500000 fields"),
        ] {
            let error = Form::parse(word).unwrap().read(content).await.unwrap_err().to_string();
            assert!(error.contains(words), "{word}: {error}");
        }
        let lines = "One.\n".repeat(MAX_LINES - 1);
        assert_eq!(Form::parse("text").unwrap().read(lines).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn byte_order_mark_is_skipped() {
        let form = Form::parse("csv").unwrap();
        assert_eq!(form.read("\u{feff}text\nOne.\n".to_owned()).await.unwrap(), ["One."]);
        let error = Form::parse("doc").unwrap_err().to_string();
        assert!(error.contains("docx"), "{error}");
    }
}
