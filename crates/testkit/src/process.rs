//! The program as a process of its own, and people who use it through HTTP.

use std::{collections::HashMap, path::Path, process::Stdio, sync::Arc, time::Duration};

use reqwest::{
    Response, StatusCode,
    cookie::{CookieStore, Jar},
    redirect,
};
use tempfile::{NamedTempFile, TempDir};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{
    authenticator,
    servers::{self, Nats},
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a platform stands on, which outlives the program.
#[derive(Debug)]
pub struct Ground {
    data: TempDir,
    nats: Nats,
    prefix: String,
    /// Settings, as environment variables.
    pub settings: HashMap<&'static str, String>,
}

impl Ground {
    /// Databases, a NATS and a folder of a test's own; Telegram is at `telegram`.
    pub async fn prepare(telegram: &str) -> Self {
        Self::on(servers::postgres(), telegram).await
    }

    /// The same on another server.
    pub async fn on(database: &str, telegram: &str) -> Self {
        let (nats, prefix) = (Nats::start().await, servers::prefix());
        let settings = HashMap::from([
            ("MEYDAN_LISTEN", "127.0.0.1:0".to_owned()),
            ("MEYDAN_METRICS_LISTEN", "127.0.0.1:0".to_owned()),
            ("MEYDAN_DATABASE_URL", database.to_owned()),
            ("MEYDAN_DATABASE_PREFIX", prefix.clone()),
            ("MEYDAN_DATABASE_CONNECTIONS", "6".to_owned()),
            ("MEYDAN_NATS_URL", nats.url()),
            ("MEYDAN_TELEGRAM_API_URL", telegram.to_owned()),
            ("MEYDAN_RATE_LIMIT", "100000".to_owned()),
            ("MEYDAN_LOGIN_LIMIT", "1000".to_owned()),
        ]);
        Self { data: servers::folder(), nats, prefix, settings }
    }

    /// The folder of keys and secrets.
    #[must_use]
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Runs `program` with these arguments beside the platform; what it printed, or what it complained of.
    ///
    /// # Errors
    ///
    /// Its complaint, when it did not succeed.
    ///
    /// # Panics
    ///
    /// When it does not start, or writes what is not text.
    pub async fn run(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let run = self.command(program, arguments).output().await.expect("the program starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
        if run.status.success() { Ok(text(run.stdout)) } else { Err(text(run.stderr)) }
    }

    /// `program` with these arguments beside the platform, not started yet.
    #[must_use]
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env("MEYDAN_DATA_DIR", self.data()).envs(&self.settings);
        command.stdin(Stdio::null());
        command
    }

    /// The broker.
    #[must_use]
    pub const fn nats(&self) -> &Nats {
        &self.nats
    }

    /// What the names of the databases begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }
}

/// A running `meydan up`.
#[derive(Debug)]
pub struct Meydan {
    child: Child,
    /// Where the panel is.
    pub url: String,
    /// The one-time link of the first admin, when there is none yet.
    pub first_link: Option<String>,
    /// What it logged so far, where a test reads no log of its own.
    complaints: Option<NamedTempFile>,
}

impl Drop for Meydan {
    #[expect(clippy::print_stderr, reason = "a test that fails shows what the program said")]
    fn drop(&mut self) {
        let said = self.complaints.as_ref().filter(|_| std::thread::panicking());
        if let Some(said) = said.and_then(|log| std::fs::read_to_string(log.path()).ok()) {
            eprintln!("{said}");
        }
    }
}

impl Meydan {
    /// Starts `program` on `ground` and waits until it says where it is.
    ///
    /// # Panics
    ///
    /// When it does not start, with what it complained of.
    pub async fn start(program: &str, ground: &Ground) -> Self {
        let complaints = NamedTempFile::new().expect("a file can be made");
        let mut started = Self::start_logging(program, ground, complaints.path()).await;
        started.complaints = Some(complaints);
        started
    }

    /// The same, writing what it logs to a file.
    ///
    /// # Panics
    ///
    /// When it does not start, with what it complained of.
    pub async fn start_logging(program: &str, ground: &Ground, log: &Path) -> Self {
        let mut child = Command::new(program)
            .arg("up")
            .arg("--runtime")
            .arg(servers::workspace().join(".meydan/runtime"))
            .env("MEYDAN_DATA_DIR", ground.data())
            .env("MEYDAN_LOG_LEVEL", "warn")
            .envs(&ground.settings)
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(log).expect("the log can be written"))
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("its output is ours");
        let mut lines = BufReader::new(output).lines();
        let (mut url, mut first_link) = (None, None);
        let reading = async {
            while let Ok(Some(line)) = lines.next_line().await {
                let words = line.split_whitespace().collect::<Vec<_>>();
                match words.as_slice() {
                    ["Meydan", "runs:", address, ..] => url = Some((*address).to_owned()),
                    [link] if link.contains("/welcome/") => first_link = Some((*link).to_owned()),
                    ["Data,", ..] => break,
                    _ => {}
                }
            }
        };
        let said = tokio::time::timeout(PATIENCE, reading).await;
        let Some(url) = said.ok().and(url) else {
            panic!("it does not start: {}", std::fs::read_to_string(log).unwrap_or_default());
        };
        // Nobody may be kept waiting for somebody to read what is said later.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, url, first_link, complaints: None }
    }

    /// Kills it, as a power cut would.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it can be killed");
    }

    /// Asks it to stop, and says with what it ended and how long it took.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn stop(mut self) -> (std::process::ExitStatus, Duration) {
        let started = std::time::Instant::now();
        let pid = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.expect("kill is there").success(), "the signal was sent");
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        (ended.expect("it ends").expect("it was waited for"), started.elapsed())
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}

/// A person with a browser that runs no scripts.
#[derive(Debug, Clone)]
pub struct Person {
    client: reqwest::Client,
    jar: Arc<Jar>,
    url: String,
}

/// What an account with an authenticator can be proved with.
#[derive(Debug, Clone)]
pub struct Enrolled {
    /// The authenticator's secret.
    pub secret: String,
    /// Recovery codes.
    pub codes: Vec<String>,
}

/// A page that a person sees.
#[derive(Debug)]
pub struct Page {
    /// How it was answered.
    pub status: StatusCode,
    /// Where the person ended up.
    pub url: String,
    /// What they see.
    pub html: String,
}

impl Page {
    /// The value of the first field of that name in any form of the page.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let found = self.html.split(&mark).nth(1).and_then(|rest| rest.split('"').next());
        found.unwrap_or_else(|| panic!("{} has no field {name}", self.url)).to_owned()
    }

    /// The page's form that is sent to `action`; the whole page when it has none.
    fn form(&self, action: &str) -> Self {
        let path = action.splitn(4, '/').last().filter(|_| action.starts_with("http"));
        let path = path.map_or_else(|| action.to_owned(), |path| format!("/{path}"));
        let forms =
            self.html.split("<form ").skip(1).filter_map(|form| form.split("</form>").next());
        let form = forms.into_iter().find(|form| form.contains(&format!("action=\"{path}\"")));
        let html = form.unwrap_or(&self.html).to_owned();
        Self { status: self.status, url: self.url.clone(), html }
    }

    /// Whether the page says so.
    #[must_use]
    pub fn says(&self, words: &str) -> bool {
        self.html.contains(words)
    }
}

impl Person {
    /// Somebody who visits `url`.
    ///
    /// # Panics
    ///
    /// When there is no network at all.
    #[must_use]
    pub fn visiting(url: &str) -> Self {
        let jar = Arc::<Jar>::default();
        let client = reqwest::Client::builder()
            .cookie_provider(jar.clone())
            .redirect(redirect::Policy::limited(5))
            .timeout(PATIENCE)
            .no_proxy()
            .build();
        Self { client: client.expect("a client can be made"), jar, url: url.to_owned() }
    }

    /// The same person after the program moved to another address.
    #[must_use]
    pub fn at(&self, url: &str) -> Self {
        Self { client: self.client.clone(), jar: self.jar.clone(), url: url.to_owned() }
    }

    /// The cookies of their browser, as it would send them.
    ///
    /// # Panics
    ///
    /// When the panel's address is none.
    #[must_use]
    pub fn cookies(&self) -> String {
        let url = self.url.parse().expect("the panel has an address");
        let cookies = self.jar.cookies(&url);
        cookies.and_then(|cookies| cookies.to_str().map(ToOwned::to_owned).ok()).unwrap_or_default()
    }

    fn address(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) }
    }

    /// Opens a page.
    ///
    /// # Panics
    ///
    /// When nobody answers.
    pub async fn open(&self, path: &str) -> Page {
        let response = self.client.get(self.address(path)).send().await;
        page(response.expect("the panel answers")).await
    }

    /// Sends the form of a page that goes to `action`: its hidden fields, and `fields`.
    ///
    /// # Panics
    ///
    /// When nobody answers.
    pub async fn send(&self, on: &Page, action: &str, fields: &[(&str, &str)]) -> Page {
        let on = on.form(action);
        let mut form = vec![("csrf", on.field("csrf"))];
        if on.says("name=\"command_id\"") {
            form.push(("command_id", on.field("command_id")));
        }
        form.extend(fields.iter().map(|(name, value)| (*name, (*value).to_owned())));
        self.post(action, &form).await
    }

    /// Sends exactly these fields.
    ///
    /// # Panics
    ///
    /// When nobody answers.
    pub async fn post<V: serde::Serialize>(&self, action: &str, form: &[(&str, V)]) -> Page {
        let response = self.client.post(self.address(action)).form(form).send().await;
        page(response.expect("the panel answers")).await
    }

    /// Adds an authenticator to the account.
    ///
    /// # Panics
    ///
    /// When it is not accepted.
    pub async fn enrol(&self) -> Enrolled {
        let page = self.open("/account/factors").await;
        let shown = self.send(&page, "/account/factors", &[("name", "phone")]).await;
        let secret = shown.field("secret");
        let confirm = shown.html.split("action=\"").find(|form| form.contains("/confirm\""));
        let confirm = confirm.and_then(|form| form.split('"').next()).expect("it can be confirmed");
        let code = authenticator::code(&secret, OffsetDateTime::now_utc());
        let confirmed = self.send(&shown, confirm, &[("code", &code)]).await;
        assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.html);
        let codes = confirmed.html.split("<li><code>").skip(1);
        let codes = codes.filter_map(|code| Some(code.split_once('<')?.0.to_owned())).collect();
        Enrolled { secret, codes }
    }

    /// Opens the stream of live changes, having heard of `last`.
    ///
    /// # Panics
    ///
    /// When nobody answers.
    pub async fn listen(&self, path: &str, last: Option<i64>) -> Response {
        let mut request = self.client.get(self.address(path));
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last.to_string());
        }
        request.send().await.expect("the panel answers")
    }

    /// Looks at a page until it says `words`. The page is what tells; each look is a request.
    ///
    /// # Panics
    ///
    /// When it never does.
    pub async fn until(&self, path: &str, words: &str) -> Page {
        let looking = async {
            loop {
                let page = self.open(path).await;
                if page.says(words) {
                    return page;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("{path} never says {words}"))
    }
}

async fn page(response: Response) -> Page {
    Page {
        status: response.status(),
        url: response.url().to_string(),
        html: response.text().await.expect("the page arrives"),
    }
}
