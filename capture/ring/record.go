package ring

import (
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"veilbox/capture/footage"
)

const (
	uidSize      = 16
	fileHeader   = 8 + uidSize
	recordHeader = 36
	headSize     = 24 // the header without its nonce
	nonceSize    = 12
	tagSize      = 16
)

var (
	fileMagic   = [8]byte{'V', 'E', 'I', 'L', 'R', 'N', 'G', 1}
	recordMagic = [4]byte{'V', 'P', 'T', 2}
)

// place is where a part's record lies; the record opens nowhere else.
type place struct {
	camera footage.CameraID
	uid    [uidSize]byte
	number uint32
	offset int64
	start  footage.Ticks
}

// table is what the index says of a part, each piece as it is written there.
type table struct {
	continues bool
	format    []byte // as encodeFormat writes it
	samples   []byte // as encodeSamples writes it
	audio     []byte // as encodeAudio writes it; nil for none
}

const (
	flagContinues = 1
	flagAudio     = 2
)

func tableOf(p *footage.Part) table {
	return table{p.Continues, encodeFormat(p.Format), encodeSamples(p.Samples), encodeAudio(&p.Audio, p.Start)}
}

// append writes t as a record holds it:
//
//	1 byte   flags: 1 the part continues the one before, 2 there is sound
//	uvarint  size of the format, and it
//	uvarint  size of the sample table, and it
//	uvarint  size of the sound's table, and it, where there is sound
func (t *table) append(b []byte) []byte {
	var flags byte
	if t.continues {
		flags |= flagContinues
	}
	if t.audio != nil {
		flags |= flagAudio
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(t.format)))
	b = append(b, t.format...)
	b = binary.AppendUvarint(b, uint64(len(t.samples)))
	b = append(b, t.samples...)
	if t.audio != nil {
		b = binary.AppendUvarint(b, uint64(len(t.audio)))
		b = append(b, t.audio...)
	}
	return b
}

func uvarintSize(v int) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}

func (t *table) size() int {
	n := 1 + uvarintSize(len(t.format)) + len(t.format) + uvarintSize(len(t.samples)) + len(t.samples)
	if t.audio != nil {
		n += uvarintSize(len(t.audio)) + len(t.audio)
	}
	return n
}

// decodeTable takes b apart; the pieces lie in b and are not looked at.
func decodeTable(b []byte) (table, error) {
	if len(b) == 0 || len(b) > maxTable || b[0]&^(flagContinues|flagAudio) != 0 {
		return table{}, errTable
	}
	t := table{continues: b[0]&flagContinues != 0}
	d := decoder{b: b[1:]}
	take := func() []byte {
		n := int(d.uvarint(maxTable))
		if d.bad || n == 0 || n > len(d.b) {
			d.bad = true
			return nil
		}
		v := d.b[:n:n]
		d.b = d.b[n:]
		return v
	}
	t.format, t.samples = take(), take()
	if b[0]&flagAudio != 0 {
		t.audio = take()
	}
	if d.bad || len(d.b) != 0 {
		return table{}, errTable
	}
	return t, nil
}

// head is what a record's header says, all but the nonce.
type head struct {
	sealed, table int // bytes of what is sealed, and of the table at its front
	start         footage.Ticks
	number        uint32
}

func (h head) append(b []byte) []byte {
	b = append(b, recordMagic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(h.sealed))
	b = binary.BigEndian.AppendUint64(b, uint64(h.start))
	b = binary.BigEndian.AppendUint32(b, h.number)
	return binary.BigEndian.AppendUint32(b, uint32(h.table))
}

// parseHead reads the header at the front of b and holds it to the bounds.
func parseHead(b []byte) (head, bool) {
	if len(b) < recordHeader || [4]byte(b) != recordMagic {
		return head{}, false
	}
	sealed, start, t := binary.BigEndian.Uint32(b[4:]), binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[20:])
	h := head{sealed: int(sealed), start: footage.Ticks(start), number: binary.BigEndian.Uint32(b[16:]), table: int(t)}
	return h, t > 0 && t <= maxTable && sealed > t && sealed-t <= MaxPartSize && start > 0 && start <= maxTicks
}

// bound is the additional data of a record with header h.
func (pl *place) bound(h head) []byte {
	b := make([]byte, 0, 112)
	b = append(b, "veilbox ring 2\x00"...)
	b = append(b, pl.camera...)
	b = append(b, 0)
	b = append(b, pl.uid[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(pl.offset))
	return h.append(b)
}

func recordSize(table, data int) int { return recordHeader + table + data + tagSize }

// seal appends the record of t and data to b. Where b has the room nothing is
// allocated for the data, and they are copied once.
func (pl *place) seal(b []byte, aead cipher.AEAD, t *table, data ...[]byte) []byte {
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	return pl.sealWith(b, aead, nonce, t, data...)
}

func (pl *place) sealWith(b []byte, aead cipher.AEAD, nonce [nonceSize]byte, t *table, data ...[]byte) []byte {
	h := head{table: t.size(), start: pl.start, number: pl.number}
	h.sealed = h.table
	for _, d := range data {
		h.sealed += len(d)
	}
	b = h.append(b)
	b = append(b, nonce[:]...)
	n := len(b)
	b = t.append(b)
	for _, d := range data {
		b = append(b, d...)
	}
	return aead.Seal(b[:n], nonce[:], b[n:], pl.bound(h))
}

var errRecord = errors.New("the record is not the one that was written there")

// open verifies the record and decrypts it in place. What it returns lies in
// record.
func (pl *place) open(record []byte, aead cipher.AEAD) (rawTable, data []byte, err error) {
	h, ok := parseHead(record)
	if !ok || h.start != pl.start || h.number != pl.number || len(record) != recordHeader+h.sealed+tagSize {
		return nil, nil, errRecord
	}
	sealed := record[recordHeader:]
	plain, err := aead.Open(sealed[:0], record[headSize:recordHeader], sealed, pl.bound(h))
	if err != nil {
		return nil, nil, errRecord
	}
	return plain[:h.table:h.table], plain[h.table:], nil
}

// Version 1 kept the table in the index alone and bound its hash.
const recordHeader1 = 32

var recordMagic1 = [4]byte{'V', 'P', 'T', 1}

func recordSize1(data int) int { return recordHeader1 + data + tagSize }

func (pl *place) head1(b []byte, size int) []byte {
	b = append(b, recordMagic1[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint64(b, uint64(pl.start))
	return binary.BigEndian.AppendUint32(b, pl.number)
}

func (pl *place) bound1(t *table, size int) []byte {
	b := make([]byte, 0, 160)
	b = append(b, "veilbox ring 1\x00"...)
	b = append(b, pl.camera...)
	b = append(b, 0)
	b = append(b, pl.uid[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(pl.offset))
	b = pl.head1(b, size)
	if t.continues {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	f, s := sha256.Sum256(t.format), sha256.Sum256(t.samples)
	b = append(b, f[:]...)
	return append(b, s[:]...)
}

// open1 is open for a record of version 1, of which t is the table.
func (pl *place) open1(record []byte, aead cipher.AEAD, t *table) ([]byte, error) {
	if len(record) < recordHeader1+tagSize {
		return nil, errRecord
	}
	size := len(record) - recordHeader1 - tagSize
	var want [20]byte
	if string(pl.head1(want[:0], size)) != string(record[:20]) {
		return nil, errRecord
	}
	sealed := record[recordHeader1:]
	data, err := aead.Open(sealed[:0], record[20:recordHeader1], sealed, pl.bound1(t, size))
	if err != nil {
		return nil, errRecord
	}
	return data, nil
}
