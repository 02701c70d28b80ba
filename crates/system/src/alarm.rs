//! A deadline that comes in time although the machine has slept.

pub use crate::own::alarm::Alarm;

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags};

    use super::*;
    use crate::clock;

    #[test]
    fn it_comes_at_the_deadline_and_not_before() {
        let alarm = Alarm::new().unwrap();
        let deadline = clock::now() + Duration::from_millis(20);
        while clock::now() < deadline {
            alarm.wait(&mut Vec::new(), Some(deadline)).unwrap();
        }
        alarm.wait(&mut Vec::new(), Some(clock::now() - Duration::from_secs(1))).unwrap();
    }

    #[test]
    fn without_a_deadline_or_with_a_far_one_a_descriptor_is_waited_for() {
        let alarm = Alarm::new().unwrap();
        let (here, _there) = UnixStream::pair().unwrap();
        for deadline in [None, Some(clock::now() + Duration::from_secs(u64::from(u32::MAX)))] {
            let mut descriptors = vec![PollFd::new(&here, PollFlags::OUT)];
            alarm.wait(&mut descriptors, deadline).unwrap();
            assert_eq!(descriptors.len(), 1);
            assert_eq!(descriptors[0].revents(), PollFlags::OUT);
        }
    }
}
