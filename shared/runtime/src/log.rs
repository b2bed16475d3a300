//! JSON lines on stdout, where Lambda collects them. Text that looks like one of our secrets is masked before it is
//! written, because no code path is trusted to never print one.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Starts logging at `level` (`LOG_LEVEL`; `info` when absent or unknown).
pub fn start(level: Option<&str>) {
    let level = level.and_then(|text| text.to_ascii_lowercase().parse().ok()).unwrap_or(LevelFilter::INFO);
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level)
        .with_target(true)
        .with_writer(Masking)
        .try_init();
}

#[derive(Clone, Copy, Debug)]
struct Masking;

impl<'a> MakeWriter<'a> for Masking {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::with_capacity(256))
    }
}

/// One log line, masked and written when it is complete.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.0);
        let _ = io::stdout().lock().write_all(mask(&text).as_bytes());
    }
}

/// Replaces tokens (`hf1.…`), `Bearer …` and `ticket=…` values by a mark.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, mark)) =
        ["hf1.", "Bearer ", "ticket=", "ticket."].iter().filter_map(|m| rest.find(m).map(|at| (at, *m))).min()
    {
        let after = at + mark.len();
        let secret = rest[after..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '=' | '%')))
            .unwrap_or(rest.len() - after);
        out.push_str(&rest[..after]);
        if secret > 0 {
            out.push_str("[masked]");
        }
        rest = &rest[after + secret..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand() {
        assert_eq!(
            mask(r#"{"m":"got hf1.AAAA.0.BBB.CC, twice hf1.x"}"#),
            r#"{"m":"got hf1.[masked], twice hf1.[masked]"}"#
        );
        assert_eq!(mask("Authorization: Bearer abc.def"), "Authorization: Bearer [masked]");
        assert_eq!(mask("wss://x/v1?ticket=abc_-9&y=1"), "wss://x/v1?ticket=[masked]&y=1");
        assert_eq!(mask("nothing here"), "nothing here");
        // Where nothing follows, nothing is masked.
        for text in ["Bearer ", "Authorization: Bearer , x", "ticket=&y=1", "hf1. ends"] {
            assert_eq!(mask(text), text);
        }
    }
}
