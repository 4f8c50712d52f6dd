//! The screen of `monitor --watch`: the state and load of each server.

use std::{collections::VecDeque, io, sync::mpsc, time::Duration};

use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout},
    style::{Color, Style, Stylize},
    text::Line,
    widgets::{Block, Paragraph, Sparkline, Wrap},
};

use super::{Failure, text};
use operations::monitor::{Monitor, Reading, State};

/// The number of readings in a curve.
const MAX_POINTS: usize = 240;
const KEY_POLL_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Default)]
struct Board {
    readings: Vec<Reading>,
    /// Hundredths of requests and errors per second of each server, the newest last.
    curves: Vec<[VecDeque<u64>; 2]>,
}

impl Board {
    fn add(&mut self, readings: Vec<Reading>) {
        self.curves.resize_with(readings.len(), Default::default);
        for (curves, reading) in self.curves.iter_mut().zip(&readings) {
            let requests = reading.requests_per_s.unwrap_or_default();
            let errors = requests * reading.errors_percent.unwrap_or_default() / 100.0;
            for (curve, rate) in curves.iter_mut().zip([requests, errors]) {
                if curve.len() == MAX_POINTS {
                    curve.pop_front();
                }
                curve.push_back((rate * 100.0) as u64);
            }
        }
        self.readings = readings;
    }

    fn draw(&self, frame: &mut Frame<'_>) {
        let [servers, help] =
            Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
        frame.render_widget(Line::from("q quits").dim(), help);
        if self.readings.is_empty() {
            frame.render_widget(Line::from("Reading …"), servers);
            return;
        }
        let areas = Layout::vertical(self.readings.iter().map(|_| Constraint::Fill(1))).split(servers);
        for ((reading, curves), area) in self.readings.iter().zip(&self.curves).zip(areas.iter()) {
            let color = match reading.state {
                State::Healthy => Color::Green,
                State::Degraded => Color::Yellow,
                State::Unhealthy | State::Unreachable => Color::Red,
            };
            let block = Block::bordered()
                .title(format!(" {} ", text::heading(reading)))
                .border_style(Style::default().fg(color));
            let inner = block.inner(*area);
            frame.render_widget(block, *area);
            let [words, load, faults] =
                Layout::horizontal([Constraint::Fill(2), Constraint::Fill(1), Constraint::Fill(1)])
                    .areas(inner);
            let lines: Vec<Line<'_>> = text::lines(reading)
                .into_iter()
                .map(|(name, line)| Line::from(format!("{name:<8} {line}")))
                .collect();
            frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }), words);
            let titles = [("requests/s", Color::Cyan, load), ("errors/s", Color::Red, faults)];
            for ((title, color, area), curve) in titles.into_iter().zip(curves) {
                // The newest points are at the right.
                let width = usize::from(area.width.saturating_sub(2));
                let shown: Vec<u64> = curve.iter().copied().skip(curve.len().saturating_sub(width)).collect();
                let now = curve.back().copied().unwrap_or_default() as f64 / 100.0;
                let curve = Sparkline::default()
                    .block(Block::bordered().title(format!(" {title} {now:.1} ")))
                    .style(Style::default().fg(color))
                    .data(shown);
                frame.render_widget(curve, area);
            }
        }
    }
}

/// Shows the servers until the user quits; returns the last readings.
pub(super) async fn show(mut monitor: Monitor, interval: Duration) -> Result<Vec<Reading>, Failure> {
    let (sender, receiver) = mpsc::channel();
    let mut screen = tokio::task::spawn_blocking(move || run(&receiver));
    let (last, ended) = loop {
        let last = monitor.read().await;
        if sender.send(last.clone()).is_err() {
            break (last, screen.await);
        }
        tokio::select! {
            ended = &mut screen => break (last, ended),
            () = tokio::time::sleep(interval) => (),
        }
    };
    let failed = |reason: String| Failure::Other(format!("The terminal cannot be used: {reason}."));
    ended.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    Ok(last)
}

fn run(readings: &mpsc::Receiver<Vec<Reading>>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let ran = run_loop(&mut terminal, readings);
    // Restore the terminal also after an error.
    ratatui::try_restore()?;
    ran
}

fn run_loop(
    terminal: &mut ratatui::DefaultTerminal,
    receiver: &mpsc::Receiver<Vec<Reading>>,
) -> io::Result<()> {
    let mut board = Board::default();
    loop {
        terminal.draw(|frame| board.draw(frame))?;
        if event::poll(KEY_POLL_INTERVAL)?
            && let Event::Key(key) = event::read()?
        {
            let interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(());
            }
        }
        while let Ok(readings) = receiver.try_recv() {
            board.add(readings);
        }
    }
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::*;
    use operations::server_client::ServerClient;

    #[tokio::test]
    async fn unreachable_server_is_shown() {
        // A port that was free just now.
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let url = format!("http://{port}");
        let mut monitor = Monitor::new(vec![ServerClient::new(&url, None).expect("a client")]);
        let mut board = Board::default();
        board.add(monitor.read().await);
        let mut terminal = Terminal::new(TestBackend::new(100, 12)).expect("a terminal");
        terminal.draw(|frame| board.draw(frame)).expect("drawn");
        let shown = terminal.backend().to_string();
        for expected in
            [&*format!("{url}  unreachable"), "error    cannot be reached", "requests/s 0.0", "q quits"]
        {
            assert!(shown.contains(expected), "{expected} in\n{shown}");
        }
    }

    #[test]
    fn curve_has_a_maximum_length() {
        let mut board = Board::default();
        for _ in 0..MAX_POINTS + 10 {
            board.add(Vec::new());
        }
        assert!(board.curves.is_empty());
        // At any size of the terminal.
        for (width, height) in [(1, 1), (10, 3), (300, 100)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
            terminal.draw(|frame| board.draw(frame)).expect("drawn");
        }
    }
}
