use std::os::unix::fs::PermissionsExt;

use super::super::fake_endpoint::message;
use super::super::test_support::{TempDir, bytes, event, transaction};
use super::*;

fn open(dir: &TempDir, max_bytes: u64) -> Spool {
    Spool::new(dir.path(), max_bytes, Duration::from_secs(3600))
}

fn envelope(message: &str) -> Vec<u8> {
    bytes(&event(message))
}

fn put(spool: &mut Spool, message: &str) -> SpoolLosses {
    spool.put(Category::Event, &envelope(message)).expect("it is stored")
}

/// Claims and removes the first envelope.
fn claimed(spool: &mut Spool) -> Option<String> {
    let claim = spool.claim(0).expect("it can be read").0?;
    let message = message(&claim.bytes);
    spool.remove(claim).expect("it can be removed");
    Some(message)
}

/// Makes the next scan due.
fn expire_scan(spool: &mut Spool) {
    spool.scanned_at = Instant::now().checked_sub(SCAN_INTERVAL);
}

#[test]
fn stored_envelopes_are_claimed_in_order_across_processes() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 1 << 20);
    for message in ["first", "second", "third"] {
        put(&mut spool, message);
    }
    let file = fs::read_dir(dir.path()).expect("is there").next().expect("has files").expect("is readable");
    assert_eq!(file.metadata().expect("is there").permissions().mode() & 0o777, 0o600);
    let mut other = open(&dir, 1 << 20);
    let held = spool.claim(0).expect("it can be read").0.expect("the first");
    assert_eq!(claimed(&mut other).as_deref(), Some("second"), "the first is locked by another process");
    drop(held);
    assert_eq!(claimed(&mut other).as_deref(), Some("first"));
    assert_eq!(claimed(&mut spool).as_deref(), Some("third"));
    assert_eq!((claimed(&mut spool), claimed(&mut other)), (None, None));
}

#[test]
fn the_oldest_envelopes_are_evicted_and_counted() {
    let dir = TempDir::new();
    let size = envelope("message 0").len() as u64;
    let mut spool = open(&dir, 3 * size);
    let losses = (0..5).map(|n| put(&mut spool, &format!("message {n}")));
    assert_eq!(losses.map(|losses| losses.evicted).sum::<u64>(), 2);
    assert_eq!(claimed(&mut spool).as_deref(), Some("message 2"));
    assert!(
        spool.put(Category::Event, &vec![b' '; 4 * size as usize]).is_err(),
        "nothing is removed for an envelope that is too large"
    );
    assert_eq!(spool.files.len(), 2);
}

#[test]
fn expired_envelopes_are_removed() {
    let dir = TempDir::new();
    put(&mut open(&dir, 1 << 20), "old");
    let mut spool = Spool::new(dir.path(), 1 << 20, Duration::ZERO);
    let (claim, losses) = spool.claim(0).expect("it can be read");
    assert!(claim.is_none());
    assert_eq!(losses.expired, 1);
}

#[test]
fn invalid_files_are_quarantined_and_others_are_claimed() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 1 << 20);
    put(&mut spool, "good");
    let torn = &envelope("torn")[..40];
    for (name, content) in [("0-1-1.event.envelope", torn), ("notes.txt", b"mine"), ("0.envelope", b"\0\xff")] {
        fs::write(dir.path().join(name), content).expect("it can be written");
    }
    let mut spool = open(&dir, 1 << 20);
    assert_eq!(claimed(&mut spool).as_deref(), Some("good"));
    let quarantined = fs::read_dir(dir.path().join(QUARANTINE)).expect("is there").count();
    assert_eq!(quarantined, 3);
}

#[test]
fn an_envelope_as_large_as_the_spool_is_stored() {
    let dir = TempDir::new();
    let mut spool = open(&dir, envelope("large").len() as u64);
    put(&mut spool, "one");
    assert_eq!(put(&mut spool, "large"), SpoolLosses { evicted: 1, ..SpoolLosses::default() });
    assert_eq!(claimed(&mut spool).as_deref(), Some("large"));
}

#[test]
fn a_large_envelope_evicts_several() {
    let dir = TempDir::new();
    let large = "large".repeat(50);
    let size = envelope("1").len() as u64;
    let mut spool = open(&dir, envelope(&large).len() as u64 + size);
    for message in ["1", "2", "3"] {
        assert_eq!(put(&mut spool, message), SpoolLosses::default());
    }
    assert_eq!(put(&mut spool, &large).evicted, 2);
    assert_eq!(dir.messages(), ["3", &large]);
}

#[test]
fn envelopes_being_sent_are_not_evicted() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 3 * envelope("1").len() as u64);
    ["1", "2", "3"].iter().for_each(|message| _ = put(&mut spool, message));
    let held = spool.claim(0).expect("it can be read").0;
    assert_eq!(put(&mut spool, "4").evicted, 1);
    assert_eq!(dir.messages(), ["1", "3", "4"], "the first is being sent");
    drop(held);
    fs::remove_file(&dir.files()[0]).expect("it is there");
    assert_eq!(put(&mut spool, "5").evicted, 0, "another process has removed one");
    assert_eq!(dir.messages(), ["3", "4", "5"]);
}

#[test]
fn failed_removals_are_not_counted() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 2 * envelope("1").len() as u64);
    ["1", "2"].iter().for_each(|message| _ = put(&mut spool, message));
    let first = dir.files().remove(0);
    fs::remove_file(&first).expect("it is there");
    fs::create_dir(&first).expect("it is created");
    assert_eq!(put(&mut spool, "3").evicted, 1);
    assert_eq!(dir.messages(), ["3"]);
}

#[test]
fn envelopes_of_other_processes_are_found_by_the_next_scan() {
    let dir = TempDir::new();
    let mut ours = open(&dir, 1 << 20);
    assert_eq!(claimed(&mut ours), None);
    let mut other = open(&dir, 1 << 20);
    put(&mut other, "one");
    put(&mut other, "two");
    assert_eq!(claimed(&mut ours), None, "not yet");
    expire_scan(&mut ours);
    assert_eq!(claimed(&mut ours).as_deref(), Some("one"));
    assert_eq!(claimed(&mut other).as_deref(), Some("two"), "one was removed");
    assert_eq!(claimed(&mut ours), None, "two was removed");
}

#[test]
fn the_first_envelope_can_be_skipped_and_postponed() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 1 << 20);
    spool.postpone_first();
    ["one", "two", "three"].iter().for_each(|message| _ = put(&mut spool, message));
    let second = spool.claim(1).expect("it can be read").0.expect("there are three");
    assert_eq!(message(&second.bytes), "two");
    let third = spool.claim(1).expect("it can be read").0.expect("there are three");
    assert_eq!(message(&third.bytes), "three");
    assert!(spool.claim(1).expect("it can be read").0.is_none());
    drop((second, third));
    spool.postpone_first();
    assert_eq!(claimed(&mut spool).as_deref(), Some("two"));
    expire_scan(&mut spool);
    assert_eq!(claimed(&mut spool).as_deref(), Some("one"), "the order is restored by the next scan");
}

#[test]
fn envelopes_without_an_event_are_removed_and_counted() {
    let dir = TempDir::new();
    let mut spool = open(&dir, 1 << 20);
    spool.put(Category::Transaction, &bytes(&transaction("GET /"))).expect("it is stored");
    put(&mut spool, "one");
    let (claim, losses) = spool.claim(0).expect("it can be read");
    assert_eq!(claim.map(|claim| message(&claim.bytes)).as_deref(), Some("one"), "it does not wait");
    assert_eq!(losses, SpoolLosses { unsent: vec![Category::Transaction], ..SpoolLosses::default() });
    assert_eq!(dir.messages(), ["one"]);
}

#[test]
fn an_unfinished_file_is_removed_after_an_hour() {
    let dir = TempDir::new();
    fs::create_dir(dir.path()).expect("it is created");
    let now = SystemTime::now();
    for (name, age) in [("1.unfinished", 0), ("2.unfinished", 3500), ("3.unfinished", 3700)] {
        let file = File::create(dir.path().join(name)).expect("it is created");
        file.set_modified(now - Duration::from_secs(age)).expect("it is set");
    }
    let (claim, losses) = open(&dir, 1 << 20).claim(0).expect("it can be read");
    assert!(claim.is_none());
    assert_eq!(losses, SpoolLosses::default());
    let names = dir.files().into_iter().map(|file| file.file_name().map(OsStr::to_owned));
    assert_eq!(names.flatten().collect::<Vec<_>>(), ["1.unfinished", "2.unfinished"]);
}

#[test]
fn quarantined_files_are_reported_once_by_name() {
    let dir = TempDir::new();
    put(&mut open(&dir, 1 << 20), "good");
    fs::write(dir.path().join("notes.txt"), "mine").expect("it is written");
    fs::create_dir(dir.path().join("photos")).expect("it is created");
    std::os::unix::fs::symlink(&dir.files()[0], dir.path().join("0-1-1.event.envelope")).expect("it is created");
    fs::write(dir.path().join("1-1-1.cat.envelope"), envelope("unknown")).expect("it is written");
    let mut spool = open(&dir, 1 << 20);
    let (claim, mut losses) = spool.claim(0).expect("it can be read");
    assert_eq!(claim.map(|claim| message(&claim.bytes)).as_deref(), Some("good"));
    losses.quarantined.sort();
    assert_eq!(losses.quarantined, ["0-1-1.event.envelope", "1-1-1.cat.envelope", "notes.txt"]);
    assert!(dir.path().join("photos").is_dir());
    expire_scan(&mut spool);
    assert_eq!(spool.claim(0).expect("it can be read").1, SpoolLosses::default());
}

#[test]
fn quarantine_fails_unless_the_file_was_removed() {
    let dir = TempDir::new();
    let spool = open(&dir, 1 << 20);
    let notes = dir.path().join("notes.txt");
    assert_eq!(spool.quarantine(&notes).ok().as_deref(), Some("notes.txt"));
    fs::create_dir(dir.path().join("quarantine/notes.txt")).expect("it is created");
    fs::write(&notes, "mine").expect("it is written");
    assert!(spool.quarantine(&notes).is_err());
}

#[test]
fn losses_add_up() {
    let (session, log) = (Category::Session, Category::Log);
    let mut losses = SpoolLosses { evicted: 2, expired: 3, quarantined: vec!["a".into()], unsent: vec![session] };
    losses.add(SpoolLosses { evicted: 4, expired: 5, quarantined: vec!["b".into()], unsent: vec![log] });
    let quarantined = vec!["a".into(), "b".into()];
    assert_eq!(losses, SpoolLosses { evicted: 6, expired: 8, quarantined, unsent: vec![session, log] });
}
