//! Reads what a test harness prints, so that nothing is skipped in silence.

/// The sums of one or more harness runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Names of tests that did not run.
    pub(crate) ignored: Vec<String>,
}

impl Counts {
    /// Takes in one line of output.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
        } else if let Some((name, _)) = ignored(&line) {
            self.ignored.push(name.to_owned());
        }
    }

    /// Adds the counts of another run.
    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored.extend(other.ignored);
    }
}

fn ignored(line: &str) -> Option<(&str, &str)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    verdict.starts_with("ignored").then_some((name, verdict))
}

fn number_before(text: &str, word: &str) -> u64 {
    let Some((before, _)) = text.split_once(word) else {
        return 0;
    };
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or_default()
}

/// The line without colours: a terminal setting must not hide a failure.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text.push_str(before);
        rest = after
            .split_once(|c: char| c.is_ascii_alphabetic())
            .map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Counts {
        let mut counts = Counts::default();
        text.lines().for_each(|line| counts.read(line));
        counts
    }

    #[test]
    fn results_of_several_harnesses_are_summed() {
        let counts = read(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
             test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        );
        assert_eq!((counts.passed, counts.failed), (15, 2));
    }

    #[test]
    fn ignored_tests_are_named_with_and_without_a_reason() {
        let counts = read(
            "test slow::one ... ignored\n\
             test two ... ignored, needs a server\n\
             test src/lib.rs - three (line 7) ... ignored\n\
             test four ... ok",
        );
        assert_eq!(
            counts.ignored,
            ["slow::one", "two", "src/lib.rs - three (line 7)"]
        );
    }

    #[test]
    fn colours_do_not_hide_a_result() {
        let counts = read("test result: \u{1b}[31mFAILED\u{1b}[0m. 1 passed; 4 failed; 0 ignored");
        assert_eq!((counts.passed, counts.failed), (1, 4));
    }
}
