//! A set of texts, searched by length first: few texts have the same length.

/// Texts with their positions, sorted by length.
#[derive(Debug, Default)]
pub(super) struct ByLength {
    texts: Vec<Box<str>>,
    /// For each length the position of the first text that is at least so long.
    starts: Vec<usize>,
}

impl ByLength {
    pub(super) fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let mut texts: Vec<Box<str>> = texts.into_iter().map(String::into_boxed_str).collect();
        texts.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        let longest = texts.last().map_or(0, |text| text.len());
        let starts = (0..=longest + 1).map(|length| texts.partition_point(|text| text.len() < length)).collect();
        Self { texts, starts }
    }

    pub(super) fn position(&self, text: &str) -> Option<usize> {
        let (from, to) = (*self.starts.get(text.len())?, *self.starts.get(text.len() + 1)?);
        self.texts.get(from..to)?.iter().position(|other| **other == *text).map(|at| from + at)
    }

    pub(super) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_at_its_position() {
        let texts = ["/bb", "/a", "", "/c", "/a", "/long"].map(str::to_owned);
        let set = ByLength::new(texts.clone());
        assert_eq!(set.texts().len(), 5);
        for text in &texts {
            assert_eq!(set.position(text).map(|at| &*set.texts()[at]), Some(&**text));
        }
        for unknown in ["/", "/b", "/bc", "/lon", "/longer", &"x".repeat(1000)] {
            assert_eq!(set.position(unknown), None, "{unknown}");
        }
        assert_eq!(ByLength::new([]).position(""), None);
    }
}
