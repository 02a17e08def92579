// Package ring is the rolling store of what the cameras send: append, read,
// quota, retention, hold, check and repair.
//
// # What lies where
//
// Below Options.Dir:
//
//	ring.db                                     the index, SQLite (schema1.sql, schema2.sql)
//	ring.lock                                   held by the process that has the ring open
//	segments/<camera>/<UTC day>/<time>-<id>.seg segment files
//
// A segment file is written front to back and never changed, except that parts
// deleted before the rest are punched out, which leaves zeros. Numbers are big
// endian; a uvarint is base 128, the low 7 bits first, the top bit set in all but
// the last byte; a varint is a uvarint of the zigzag code.
//
//	 0   8  magic "VEILRNG", version 1
//	 8  16  identifier of the segment, random
//	24      records, one a part, without a gap:
//	         0   4  magic "VPT", version 2
//	         4   4  n, size of the table and the data together, at most 1 MiB + 32 MiB
//	         8   8  start, ticks
//	        16   4  number of the part within the segment, from 0
//	        20   4  t, size of the table, 1 to 1 MiB
//	        24  12  nonce, random
//	        36   n  the table, t bytes, and the data, AES-256-GCM
//	       36+n 16  tag
//
// The additional data of a record is
//
//	15  "veilbox ring 2" and a zero
//	    the camera's name and a zero
//	16  identifier of the segment
//	 8  offset of the record in the file
//	24  the record's first 24 bytes
//
// so that a record that is swapped, moved, repeated or cut does not open. The
// table is all that the index knows of a part:
//
//	1 byte   flags: 1 it continues the part before, 2 it has sound
//	uvarint  size of the format, and the format:
//	           1 byte   codec (footage.Codec)
//	           uvarint  width, uvarint height
//	           each parameter set: uvarint size, and it
//	uvarint  size of the sample table, and it: see encodeSamples
//	uvarint  size of the sound's table, and it, where there is sound: see encodeAudio
//
// and the data are those of the pictures and then those of the sound. Whoever has
// the day's key can so read a segment file without the index; whoever has the
// index has each part's table beside its place, and a table that differs from the
// sealed one is damage. testdata/records.txt has examples, byte by byte.
//
// The key is the camera's key of the UTC day in which the segment began. It lies
// in the index, wrapped by the master key, and is destroyed there, in database and
// log, when nothing of that day is left. A segment lasts an hour or
// Options.Quota/16, at most 2 GiB.
//
// Records of version 1, which the first release wrote, stay readable: their magic
// ends in 1, their header has no t and is 32 bytes long, what is sealed are the
// data alone, and the additional data goes on with the continues flag (1 byte)
// and the SHA-256 of the format and of the sample table.
//
// # What survives a power cut
//
// When Append or AppendAll has returned nil, the parts are on the disk: their
// segment was synced (fdatasync), once for each camera. The index is written after
// that and is not synced then (synchronous=NORMAL: the log keeps its order, so a
// power cut takes back whole transactions, the newest first); every ten seconds
// one is. What relies on an order waits for it:
//
//   - A segment's row and its key are committed and synced before the file is
//     made. So a file with footage in it has both, and a file without a row has
//     none worth keeping: Open removes it.
//   - A segment's row is closed (its end is written) in the transaction, synced,
//     that makes the next one's, and after all of its parts: they are older in the
//     same log.
//   - Where a segment is not closed, Open asks the index for its last part and
//     reads the file from there on. Each record that is whole, opens, has the next
//     number and is later than the last is put into the index; the first that is
//     not ends it, and the file is cut there. That costs what was written in
//     the last ten seconds, and never a scan of the table of parts.
//   - A part goes from the index first, with a note of what to punch out of the
//     file; a file is marked, removed, and then its rows go. Both are synced and
//     finished at Open, so what is deleted does not come back.
//   - Holds, releases, keys and the state of the clock are synced at once.
//
// After an error the ring is as it was, and the next Append may succeed; the same
// part may be offered again, and where another comes instead that continues it,
// that one is refused (ErrChain) until a keyframe comes. A part whose write failed
// half way may still be found whole by the next Open; it then counts. Where the
// disk is full before the quota is, the oldest footage goes, but none of the last
// 24 hours.
//
// # What holds
//
// Parts of a camera never overlap and only go forward in time. No part outlives
// the retention, 30 days at most (tv-overvågningsloven § 4 c), where Expire runs
// every ten minutes, unless a hold covers it. Only what a hold covers is kept,
// with the keyframe it needs, not the segment around it.
//
// A wall clock that jumps ahead does not delete: see Doubt. Footage that such a
// clock dated more than a day ahead of the time believed then ages by the latter.
//
// Memory does not grow with what the ring holds: a camera costs its last state,
// and parts are sealed in two buffers that all cameras share. An append changes
// one page of the index, the last leaf of the camera's parts.
//
// Times are footage.Ticks. A Ring is safe for concurrent use; readers do not wait
// for writers.
package ring
