//! Files in which YARN has collected logs, of both formats, and what NodeManagers answer. The first byte says
//! in pieces of which size the file comes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use yarn_logs::ifile::{Checksum, IndexedFile};
use yarn_logs::memory::InMemory;
use yarn_logs::tfile::TFile;
use yarn_logs::{LogsError, layout, live};

/// The mark at the end of the IndexedFiles in the seeds is that of this application.
const APPLICATION: &str = "application_1_0001";

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
}

async fn tfile(file: InMemory) -> Result<(), LogsError> {
    let file = TFile::open(file).await?;
    let mut records = file.records();
    while records.next().await?.is_some() {
        while let Some(log) = records.next_log().await? {
            let again = file.records_at(records.place()).await?.text().await;
            let mut size = 0;
            while let Some(piece) = records.text().await? {
                // The first piece is the same from there.
                if size == 0
                    && let Ok(Some(again)) = &again
                {
                    let both = piece.len().min(again.len());
                    assert_eq!(piece.get(..both), again.get(..both));
                }
                size += piece.len() as u64;
            }
            assert!(size <= log.size);
        }
    }
    Ok(())
}

async fn indexed(file: InMemory) -> Result<(), LogsError> {
    let file = IndexedFile::open(file, APPLICATION, None).await?;
    for log in file.logs() {
        let mut content = file.content(log)?;
        while content.next().await?.is_some() {}
    }
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, content)) = bytes.split_first() else { return };
    let file = InMemory::new(content.to_vec(), usize::from(*piece));
    RUNTIME.with(|runtime| {
        let _ = runtime.block_on(tfile(file.clone()));
        let _ = runtime.block_on(indexed(file));
    });
    let _ = (Checksum::read(content), live::list(content), live::begin(content, false), live::ended(content));
    if let Ok(name) = std::str::from_utf8(content) {
        let _ = layout::entry(name);
    }
});
