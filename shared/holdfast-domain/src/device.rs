//! What a session says about the device it lives on. Shown to the user, trusted by nobody.

/// Longest text kept of a device, in bytes.
pub const MAX_TEXT: usize = 64;

/// A device as its user would recognise it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The name the client gave, or browser and system.
    pub name: String,
    /// Browser family.
    pub browser: String,
    /// Operating system family.
    pub os: String,
    /// Source address as API Gateway saw it.
    pub ip: String,
}

/// Families in the order they must be looked for: every Edge claims to be Chrome, every Chrome to be Safari.
const BROWSERS: [(&str, &str); 9] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Mozilla/", "Browser"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

fn family(agent: &str, families: &[(&str, &str)]) -> String {
    families.iter().find(|(mark, _)| agent.contains(mark)).map_or("Unknown", |(_, name)| name).to_owned()
}

fn bounded(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

impl Device {
    /// From what a request carries. Versions are left out: they only make people traceable.
    pub fn seen(name: Option<&str>, user_agent: &str, ip: &str) -> Self {
        let (browser, os) = (family(user_agent, &BROWSERS), family(user_agent, &SYSTEMS));
        let name = match name {
            Some(name) => bounded(name),
            None => format!("{browser} on {os}"),
        };
        Self { name, browser, os, ip: bounded(ip) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart() {
        let chrome =
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36";
        let device = Device::seen(None, chrome, "127.0.0.1");
        assert_eq!((device.browser.as_str(), device.os.as_str()), ("Chrome", "Linux"));
        assert_eq!(device.name, "Chrome on Linux");
        assert_eq!(Device::seen(None, &format!("{chrome} Edg/120.0"), "").browser, "Edge");
        assert_eq!(Device::seen(None, "", "").browser, "Unknown");
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let name = "é".repeat(40);
        assert_eq!(Device::seen(Some(&name), "", "").name.len(), 64);
        assert_eq!(Device::seen(Some(&format!("a{name}")), "", "").name.len(), 63);
    }
}
