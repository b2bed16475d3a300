//! What a session says about the device it lives on. It is shown to the user, and no decision depends on it.

use std::net::IpAddr;

use crate::error::Failure;
use crate::text;

/// Longest text kept of a device, in bytes.
pub const MAX_TEXT: usize = 64;

/// A device as its user would recognise it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// The name the client gave, or browser and system.
    pub name: String,
    /// The family of the browser.
    pub browser: String,
    /// Operating system family.
    pub os: String,
    /// Source address as API Gateway saw it; empty if that is not an IP address.
    pub ip: String,
}

const UNKNOWN: &str = "Unknown";

/// Product tokens and the families they name, in the order they must be looked for: every Edge claims to be Chrome, and
/// every Chrome claims to be Safari. A token counts where a word begins. The table is small because versions are left
/// out; of the libraries, `woothee` would add 1.6 MB to the functions that sign people in, and `uap-core` more.
const BROWSERS: &[(&str, &str)] = &[
    // Programs that embed a browser, and browsers that are driven by a program.
    ("HeadlessChrome/", "Headless Chrome"),
    ("Electron/", "Electron"),
    ("FBAN/", "Facebook app"),
    ("FBAV/", "Facebook app"),
    ("FB_IAB/", "Facebook app"),
    ("Instagram ", "Instagram app"),
    ("MicroMessenger/", "WeChat"),
    ("Line/", "LINE"),
    ("GSA/", "Google app"),
    // Browsers on the engines of others.
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPiOS/", "Opera"),
    ("OPX/", "Opera"),
    ("Opera Mini/", "Opera"),
    ("Opera/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("UCBrowser/", "UC Browser"),
    ("UCWEB/", "UC Browser"),
    ("UBrowser/", "UC Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("MiuiBrowser/", "Mi Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("VivoBrowser/", "Vivo Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("Whale/", "Whale"),
    ("Silk/", "Silk"),
    ("Brave/", "Brave"),
    ("IEMobile/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/", "Internet Explorer"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox"),
    ("Klar/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    // HTTP clients.
    ("okhttp/", "okhttp"),
    ("Dalvik/", "Android app"),
    ("CFNetwork/", "Apple app"),
    ("Dart/", "Dart"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("PostmanRuntime/", "Postman"),
    ("insomnia/", "Insomnia"),
    ("python-requests/", "Python"),
    ("python-httpx/", "Python"),
    ("Python-urllib/", "Python"),
    ("Python/", "Python"),
    ("Go-http-client/", "Go"),
    ("reqwest/", "Rust"),
    ("Apache-HttpClient/", "Java"),
    ("Java-http-client/", "Java"),
    ("Java/", "Java"),
    ("axios/", "Node.js"),
    ("node-fetch/", "Node.js"),
    ("undici", "Node.js"),
    ("node", "Node.js"),
    ("k6/", "k6"),
    ("WindowsPowerShell/", "PowerShell"),
    ("PowerShell/", "PowerShell"),
    ("libwww-perl/", "Perl"),
    ("Mozilla/", "Browser"),
];

/// The systems, in the order they must be looked for: a Windows Phone claims to be Android, and Android is a Linux.
const SYSTEMS: &[(&str, &str)] = &[
    ("Windows Phone", "Windows Phone"),
    ("KAIOS/", "KaiOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("PlayStation", "PlayStation"),
    ("Xbox", "Xbox"),
    ("Nintendo", "Nintendo"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPod", "iOS"),
    ("iPad", "iPadOS"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
    ("linux", "Linux"),
];

/// Tokens that only programs on an iPhone or iPad have, also where a page asked for its desktop form.
const ON_IOS: &[&str] = &["CriOS/", "FxiOS/", "EdgiOS/", "OPiOS/", "OPT/", "Mobile/"];

/// What crawlers and link previews call themselves, in small letters.
const ROBOTS: &[&str] = &["bot/", "bot-", "bot;", "spider/", "spider;", "crawler", "externalhit/"];

/// Whether `mark` begins a word of `agent`.
fn has(agent: &str, mark: &str) -> bool {
    agent.match_indices(mark).any(|(at, _)| !agent[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

fn family(agent: &str, families: &[(&'static str, &'static str)]) -> &'static str {
    families.iter().find(|(mark, _)| has(agent, mark)).map_or(UNKNOWN, |(_, name)| name)
}

fn browser(agent: &str) -> &'static str {
    let small = agent.to_ascii_lowercase();
    if ROBOTS.iter().any(|mark| small.contains(mark)) {
        return "Robot";
    }
    let is_android = agent.contains("Android");
    match family(agent, BROWSERS) {
        "Chrome" if is_android && agent.contains("; wv)") => "Android WebView",
        // What came with Android before Chrome did.
        "Safari" if is_android => "Android Browser",
        name => name,
    }
}

fn system(agent: &str) -> &'static str {
    match family(agent, SYSTEMS) {
        // The desktop form of a page on an iPad. Safari's own says nothing that tells it from a Mac.
        "macOS" if ON_IOS.iter().any(|mark| has(agent, mark)) => "iPadOS",
        name => name,
    }
}

impl Device {
    /// Accepts the name that a client gives a device: without the spaces around it, and cut to [`MAX_TEXT`] bytes, between
    /// two characters.
    ///
    /// # Errors
    /// `INVALID_REQUEST`, naming `deviceName`, if the text is not fit to be shown (see [`text::check`]).
    pub fn check_name(text: &str) -> Result<String, Failure> {
        text::check("deviceName", text)?;
        let kept = short(text);
        // What was visible may have been cut off.
        text::check("deviceName", &kept)?;
        Ok(kept)
    }

    /// Describes the device that sent a request. Versions are left out, because they only make people traceable. A
    /// client may write anything into `user_agent`, so only names from this module's tables are taken from it.
    pub fn seen(name: Option<&str>, user_agent: &str, ip: &str) -> Self {
        let (browser, os) = (browser(user_agent), system(user_agent));
        let name = match name.map(short) {
            Some(name) => name,
            None if os == UNKNOWN && browser == UNKNOWN => "Unknown device".to_owned(),
            None if os == UNKNOWN => browser.to_owned(),
            None => format!("{browser} on {os}"),
        };
        let ip = ip.parse().map(|ip: IpAddr| ip.to_string()).unwrap_or_default();
        Self { name, browser: browser.to_owned(), os: os.to_owned(), ip }
    }
}

fn short(text: &str) -> String {
    text::cut(text.trim(), MAX_TEXT).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `Browser|System|User-Agent`, as products send it.
    const AGENTS: &str = include_str!("../tests/user_agents.txt");

    #[test]
    fn families_are_told_apart() {
        let mut known = 0;
        for line in AGENTS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.splitn(3, '|').collect();
            let [browser, os, agent] = fields[..] else { panic!("{line}") };
            let device = Device::seen(None, agent, "");
            assert_eq!((device.browser.as_str(), device.os.as_str()), (browser, os), "{agent}");
            known += 1;
        }
        assert!(known >= 60, "{known}");
    }

    #[test]
    fn a_device_without_a_name_is_called_by_what_is_known() {
        let name = |agent: &str| Device::seen(None, agent, "").name;
        assert_eq!(name("Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"), "Firefox on Linux");
        assert_eq!(name("curl/8.5.0"), "curl");
        assert_eq!(name("Something (Linux)"), "Unknown on Linux");
        assert_eq!(name(""), "Unknown device");
    }

    #[test]
    fn a_token_inside_a_word_names_nothing() {
        assert_eq!(Device::seen(None, "Offline/1.0 Notcurl/2 XFirefox/3", "").browser, "Unknown");
        assert_eq!(Device::seen(None, "GNULinux", "").os, "Unknown");
    }

    #[test]
    fn names_are_cut_where_a_character_ends() {
        let check = |text: &str| Device::check_name(text).unwrap();
        assert_eq!(check(&"é".repeat(40)).len(), 64);
        assert_eq!(check(&format!("a{}", "é".repeat(40))).len(), 63);
        // 41 Cyrillic letters are 82 bytes.
        assert_eq!(check(&"ж".repeat(41)), "ж".repeat(32));
        assert_eq!(check(&format!("{}e\u{301}", "x".repeat(62))), "x".repeat(62));
        assert_eq!(check(&format!("{} y", "x".repeat(63))), "x".repeat(63));
        assert_eq!(check("  Ada's laptop "), "Ada's laptop");
        assert_eq!(Device::seen(Some(&"ж".repeat(41)), "", "").name, "ж".repeat(32));
    }

    #[test]
    fn a_name_that_is_not_fit_to_be_shown_is_refused() {
        let blank = format!("{}a", "\u{3164}".repeat(22));
        for text in
            ["", " ", "\u{3000}\u{a0}", "\u{3164}", "a\u{202e}b", "a\nb", "\u{200b}", "a\u{378}", "a\u{0}", &blank]
        {
            let failure = Device::check_name(text).unwrap_err();
            assert!(failure.detail.contains("`deviceName`"), "{text:?}: {failure}");
        }
    }

    #[test]
    fn an_address_is_an_ip_address() {
        let ip = |text: &str| Device::seen(None, "", text).ip;
        assert_eq!(ip("192.0.2.1"), "192.0.2.1");
        assert_eq!(ip("2001:DB8:0:0::1"), "2001:db8::1");
        for text in ["", "test-invoke-source-ip", "192.0.2.1, 198.51.100.1", "<b>", "1.2.3.4\u{202e}", "::1\n"] {
            assert_eq!(ip(text), "", "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_of_a_user_agent_is_shown(agent in any::<String>()) {
            let device = Device::seen(None, &agent, &agent);
            prop_assert!(BROWSERS.iter().any(|(_, name)| *name == device.browser)
                || ["Unknown", "Robot", "Android WebView", "Android Browser"].contains(&device.browser.as_str()));
            prop_assert!(SYSTEMS.iter().any(|(_, name)| *name == device.os) || device.os == "Unknown");
            prop_assert!(text::check("name", &device.name).is_ok() && device.name.len() <= MAX_TEXT);
        }

        #[test]
        fn an_accepted_name_is_accepted_again_as_it_is(name in "\\PC{0,80}") {
            if let Ok(kept) = Device::check_name(&name) {
                prop_assert!(!kept.is_empty() && kept.len() <= MAX_TEXT);
                prop_assert_eq!(Device::check_name(&kept), Ok(kept));
            }
        }
    }
}
