//! The headers of a request.

/// Names and values in one text. A request has more than a dozen headers, and each text of its own is a place of the heap.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug, PartialEq))]
pub(crate) struct Headers {
    text: String,
    /// Where a name ends, and where its value ends.
    ends: Vec<(usize, usize)>,
}

impl Headers {
    pub(crate) fn with_capacity(headers: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(headers) }
    }

    /// Adds a header. Its name is kept in lower case, as headers are looked up.
    pub(crate) fn push(&mut self, name: &str, value: &str) {
        let at = self.text.len();
        self.text.push_str(name);
        self.text[at..].make_ascii_lowercase();
        let named = self.text.len();
        self.text.push_str(value);
        self.ends.push((named, self.text.len()));
    }

    /// The values of a lower-case name.
    pub(crate) fn of(&self, name: &str) -> impl Iterator<Item = &str> {
        let mut at = 0;
        self.ends.iter().filter_map(move |&(named, end)| {
            let is_it = &self.text[at..named] == name;
            at = end;
            is_it.then(|| &self.text[named..end])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_the_name_in_lower_case_and_in_their_order() {
        let mut headers = Headers::with_capacity(0, 0);
        for (name, value) in
            [("Cookie", "a=b"), ("", "x"), ("CÖ", "ä\u{0}"), ("cookie", ""), ("Cook", "ie"), ("cookie", "C=D")]
        {
            headers.push(name, value);
        }
        let of = |name| headers.of(name).collect::<Vec<_>>();
        assert_eq!(of("cookie"), ["a=b", "", "C=D"]);
        assert_eq!((of("cook"), of(""), of("cÖ")), (vec!["ie"], vec!["x"], vec!["ä\u{0}"]));
        assert!(of("Cookie").is_empty() && of("cooki").is_empty() && of("a=b").is_empty());
    }
}
