#![no_main]

use fuzz::start;
use libfuzzer_sys::fuzz_target;
use wire::channel::credit::WINDOW;
use wire::channel::{Frame, LONGEST, Lines, Side, Talk};

fuzz_target!(|bytes: &[u8]| {
    let side = if bytes.first().is_some_and(|byte| byte % 2 == 0) { Side::Host } else { Side::Laptop };
    let now = start();
    let (mut lines, mut talk) = (Lines::default(), Talk::new(WINDOW, now));
    for chunk in bytes.chunks(97) {
        for line in lines.read(chunk) {
            let Some(frame) = Frame::parse(&line, side) else { continue };
            let written = frame.encode();
            assert!(written.len() <= LONGEST && written.matches('\n').count() == 1);
            assert_eq!(Frame::parse(written.as_bytes(), side).as_ref(), Some(&frame));
            talk.handle(frame, now);
            talk.carry(0, &[0; 1_216], now);
        }
    }
    let said = std::iter::from_fn(|| talk.poll_line(now)).map(|line| line.len()).sum::<usize>();
    assert!(said <= 2 * WINDOW + 64 * 32, "{said}");
});
