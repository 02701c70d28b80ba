//! The program that is to run on the host: which one here fits.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::iter::successors;
use std::path::{Path, PathBuf};

use programs::own;

/// A static one has 3 MB, and unoptimized with all that a debugger wants some 100.
const BYTES_MAXIMUM: u64 = 256 * 1024 * 1024;

/// For which moshpunch is built to run anywhere; `make dist` names its files by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processor {
    X86_64,
    Aarch64,
}

impl Processor {
    pub(super) const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// By what `uname -sm` says. Some systems call the same otherwise.
    pub(super) fn of_system(system: &str) -> Option<Self> {
        match system {
            "Linux x86_64" | "Linux amd64" => Some(Self::X86_64),
            "Linux aarch64" | "Linux arm64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    fn file_name(self) -> String {
        format!("moshpunch-{}-linux", self.name())
    }

    /// By `e_machine` of elf(5).
    fn of_elf(machine: u16) -> Option<Self> {
        match machine {
            62 => Some(Self::X86_64),
            183 => Some(Self::Aarch64),
            _ => None,
        }
    }
}

/// What POSIX's cksum says of a file: its CRC and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) crc: u32,
    pub(super) size: u64,
}

impl Sum {
    fn of(bytes: &[u8]) -> Self {
        let size = bytes.len() as u64;
        // Its octets, the least first, without those that are nothing.
        let length = successors(Some(size), |rest| Some(rest >> 8)).take_while(|rest| *rest > 0);
        let length = length.map(|rest| rest.to_le_bytes()[0]);
        let crc = bytes.iter().copied().chain(length).fold(0, |crc: u32, byte| {
            let index = (crc >> 24) ^ u32::from(byte);
            (crc << 8) ^ REMAINDERS[index as usize]
        });
        Self { crc: !crc, size }
    }

    /// As cksum prints it of its input.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (crc, size) = text.trim().split_once(' ')?;
        Some(Self { crc: crc.parse().ok()?, size: size.trim().parse().ok()? })
    }
}

/// Of each first octet by the polynomial of ISO 8802-3 (cksum in POSIX).
const REMAINDERS: [u32; 256] = remainders();

const fn remainders() -> [u32; 256] {
    let mut table = [0; 256];
    let mut octet: u32 = 0;
    while octet < 256 {
        let mut remainder = octet << 24;
        let mut bit = 0;
        while bit < 8 {
            let is_high = remainder & 0x8000_0000 != 0;
            remainder = (remainder << 1) ^ if is_high { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[octet as usize] = remainder;
        octet += 1;
    }
    table
}

#[derive(Debug)]
pub(super) struct Program {
    pub(super) bytes: Vec<u8>,
    pub(super) sum: Sum,
    /// For messages.
    pub(super) path: PathBuf,
}

/// For each processor one, or why there is none.
#[derive(Debug)]
pub(super) struct Programs([Result<Program, String>; 2]);

impl Programs {
    /// Those in `from`, or the one that it is. Unsaid: this very program, which knows what this laptop knows; else those beside it.
    pub(super) fn find(from: Option<&Path>) -> Self {
        Self(Processor::ALL.map(|processor| first_that_fits(processor, &candidates(from, processor))))
    }

    pub(super) fn for_processor(&self, processor: Processor) -> &Result<Program, String> {
        &self.0[Processor::ALL.iter().position(|one| *one == processor).expect("all are there")]
    }

    /// Why there is none at all.
    pub(super) fn missing(&self) -> Option<&str> {
        match &self.0 {
            [Err(why), Err(_)] => Some(why),
            _ => None,
        }
    }
}

/// Where it is read, and how it is called.
struct Candidate {
    file: PathBuf,
    name: PathBuf,
}

fn candidates(from: Option<&Path>, processor: Processor) -> Vec<Candidate> {
    let called = |path: PathBuf| Candidate { file: path.clone(), name: path };
    let name = processor.file_name();
    if let Some(from) = from {
        let path = if from.is_file() { from.to_owned() } else { from.join(name) };
        return vec![called(path)];
    }
    let place = own::place();
    let itself = Candidate { file: own::path(), name: place.clone().unwrap_or_else(own::path) };
    let beside = place.and_then(|place| Some(called(place.parent()?.join(name))));
    [itself].into_iter().chain(beside).collect()
}

fn first_that_fits(processor: Processor, candidates: &[Candidate]) -> Result<Program, String> {
    let mut reasons = Vec::new();
    for Candidate { file, name } in candidates {
        match read(file).and_then(|bytes| fits(&bytes, processor).map(|()| bytes)) {
            Ok(bytes) => return Ok(Program { sum: Sum::of(&bytes), bytes, path: name.clone() }),
            Err(why) => reasons.push(format!("{} {why}", name.display())),
        }
    }
    Err(reasons.join(", "))
}

fn read(path: &Path) -> Result<Vec<u8>, Unfit> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Unfit::Missing,
        _ => Unfit::Unread(error.to_string()),
    })?;
    let mut bytes = Vec::new();
    let read = file.take(BYTES_MAXIMUM + 1).read_to_end(&mut bytes);
    read.map_err(|error| Unfit::Unread(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MAXIMUM { Err(Unfit::NoProgram) } else { Ok(bytes) }
}

#[derive(Debug, PartialEq, Eq)]
enum Unfit {
    Missing,
    Unread(String),
    NoProgram,
    OtherProcessor,
    /// It needs a loader and libraries, which may be others there.
    NotStatic,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there"),
            Self::Unread(why) => write!(f, "cannot be read ({why})"),
            Self::NoProgram => f.write_str("is no program for Linux"),
            Self::OtherProcessor => f.write_str("is for another processor"),
            Self::NotStatic => f.write_str("is not static"),
        }
    }
}

/// By elf(5): a program of this processor that names no interpreter.
fn fits(bytes: &[u8], processor: Processor) -> Result<(), Unfit> {
    const LITTLE_64: &[u8] = b"\x7fELF\x02\x01";
    const EXECUTABLE_OR_MOVABLE: [u16; 2] = [2, 3];
    if !bytes.starts_with(LITTLE_64) {
        return Err(Unfit::NoProgram);
    }
    let kind = half(bytes, 16).filter(|kind| EXECUTABLE_OR_MOVABLE.contains(kind));
    let machine = half(bytes, 18).filter(|_| kind.is_some()).ok_or(Unfit::NoProgram)?;
    if Processor::of_elf(machine) != Some(processor) {
        return Err(Unfit::OtherProcessor);
    }
    match names_interpreter(bytes) {
        None => Err(Unfit::NoProgram),
        Some(true) => Err(Unfit::NotStatic),
        Some(false) => Ok(()),
    }
}

/// None: its table of segments is not there.
fn names_interpreter(bytes: &[u8]) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    let table = usize::try_from(u64::from_le_bytes(at(bytes, 32)?)).ok()?;
    let (size, count) = (usize::from(half(bytes, 54)?), usize::from(half(bytes, 56)?));
    let kinds: Option<Vec<_>> = (0..count)
        .map(|number| at(bytes, table.checked_add(number * size)?).map(u32::from_le_bytes))
        .collect();
    Some(kinds.filter(|kinds| !kinds.is_empty())?.contains(&INTERPRETER))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    at(bytes, offset).map(u16::from_le_bytes)
}

fn at<const SIZE: usize>(bytes: &[u8], offset: usize) -> Option<[u8; SIZE]> {
    bytes.get(offset..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header and a table with segments of these kinds.
    fn elf(machine: u16, segments: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56 * segments.len()];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16] = 3;
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32] = 64;
        bytes[54] = 56;
        bytes[56] = u8::try_from(segments.len()).unwrap();
        for (number, kind) in segments.iter().enumerate() {
            bytes[64 + 56 * number..][..4].copy_from_slice(&kind.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn a_static_program_of_the_processor_fits() {
        let fits = |bytes: &[u8]| fits(bytes, Processor::X86_64);
        assert_eq!(fits(&elf(62, &[6, 1, 2])), Ok(()));
        assert_eq!(fits(&elf(62, &[6, 3, 1])), Err(Unfit::NotStatic));
        assert_eq!(fits(&elf(183, &[1])), Err(Unfit::OtherProcessor));
        assert_eq!(fits(&elf(40, &[1])), Err(Unfit::OtherProcessor));
        assert_eq!(super::fits(&elf(183, &[1]), Processor::Aarch64), Ok(()));
        for other in [&b"#!/bin/sh\n"[..], b"", b"\x7fELF\x01\x01", &elf(62, &[])] {
            assert_eq!(fits(other), Err(Unfit::NoProgram), "{other:?}");
        }
    }

    #[test]
    fn a_file_that_is_cut_is_no_program() {
        let whole = elf(62, &[1, 2]);
        for length in 0..64 + 56 + 4 {
            assert_eq!(fits(&whole[..length], Processor::X86_64), Err(Unfit::NoProgram), "{length}");
        }
        let mut far = whole;
        far[32..40].copy_from_slice(&[0xff; 8]);
        assert_eq!(fits(&far, Processor::X86_64), Err(Unfit::NoProgram));
    }

    #[test]
    fn what_the_hosts_say_of_themselves_is_one_of_few() {
        for (system, expected) in [
            ("Linux x86_64", Some(Processor::X86_64)),
            ("Linux amd64", Some(Processor::X86_64)),
            ("Linux aarch64", Some(Processor::Aarch64)),
            ("Linux arm64", Some(Processor::Aarch64)),
            ("Linux armv7l", None),
            ("Darwin arm64", None),
            ("Linux ../x86_64", None),
            ("", None),
        ] {
            assert_eq!(Processor::of_system(system), expected, "{system}");
        }
    }

    #[test]
    fn a_sum_is_that_of_cksum() {
        for (text, crc) in [(&b""[..], 4_294_967_295), (b"123456789", 930_766_865), (b"moshpunch\n", 0)] {
            let sum = Sum::of(text);
            let mut cksum = std::process::Command::new("cksum");
            cksum.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
            let mut cksum = cksum.spawn().unwrap();
            std::io::Write::write_all(&mut cksum.stdin.take().unwrap(), text).unwrap();
            let told = String::from_utf8(cksum.wait_with_output().unwrap().stdout).unwrap();
            assert_eq!(Sum::parse(&told), Some(sum), "{told}");
            assert!(crc == 0 || sum.crc == crc, "{sum:?}");
        }
        assert_eq!([Sum::parse(""), Sum::parse("1"), Sum::parse("a b")], [None; 3]);
    }

    #[test]
    fn of_several_the_first_that_fits_is_taken_and_else_each_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(directory.path().join(name), bytes).unwrap();
        write("moshpunch-x86_64-linux", &elf(62, &[3]));
        let programs = Programs::find(Some(directory.path()));
        let why = programs.missing().unwrap();
        assert!(why.ends_with("/moshpunch-x86_64-linux is not static"), "{why}");
        write("moshpunch-aarch64-linux", &elf(183, &[1]));
        let programs = Programs::find(Some(directory.path()));
        assert_eq!(programs.missing(), None);
        let program = programs.for_processor(Processor::Aarch64).as_ref().unwrap();
        assert!(program.path.ends_with("moshpunch-aarch64-linux") && program.sum.size == 120, "{program:?}");
        let programs = Programs::find(Some(&directory.path().join("moshpunch-aarch64-linux")));
        assert!(programs.for_processor(Processor::Aarch64).is_ok());
    }
}
