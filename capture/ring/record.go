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
	recordHeader = 32
	tagSize      = 16
)

var (
	fileMagic   = [8]byte{'V', 'E', 'I', 'L', 'R', 'N', 'G', 1}
	recordMagic = [4]byte{'V', 'P', 'T', 1}
)

// place is where a part's record lies and what it is bound to.
type place struct {
	camera    footage.CameraID
	uid       [uidSize]byte
	number    uint32
	offset    int64
	start     footage.Ticks
	continues bool
	format    []byte // as encodeFormat writes it
	samples   []byte // as encodeSamples writes it
}

// head writes the record's header without its nonce, 20 bytes.
func (pl *place) head(b []byte, size int) []byte {
	b = append(b, recordMagic[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	b = binary.BigEndian.AppendUint64(b, uint64(pl.start))
	return binary.BigEndian.AppendUint32(b, pl.number)
}

// bound is the additional data of the record: all that the index says of it.
func (pl *place) bound(size int) []byte {
	b := make([]byte, 0, 160)
	b = append(b, "veilbox ring 1\x00"...)
	b = append(b, pl.camera...)
	b = append(b, 0)
	b = append(b, pl.uid[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(pl.offset))
	b = pl.head(b, size)
	if pl.continues {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	f, s := sha256.Sum256(pl.format), sha256.Sum256(pl.samples)
	b = append(b, f[:]...)
	return append(b, s[:]...)
}

func recordSize(data int) int { return recordHeader + data + tagSize }

// seal appends the record of data to b.
func (pl *place) seal(b []byte, aead cipher.AEAD, data []byte) []byte {
	b = pl.head(b, len(data))
	var nonce [12]byte
	rand.Read(nonce[:])
	b = append(b, nonce[:]...)
	return aead.Seal(b, nonce[:], data, pl.bound(len(data)))
}

var errRecord = errors.New("the record is not the one that was written there")

// open verifies the record and decrypts it in place.
func (pl *place) open(record []byte, aead cipher.AEAD) ([]byte, error) {
	if len(record) < recordHeader+tagSize {
		return nil, errRecord
	}
	size := len(record) - recordHeader - tagSize
	var want [20]byte
	if string(pl.head(want[:0], size)) != string(record[:20]) {
		return nil, errRecord
	}
	sealed := record[recordHeader:]
	data, err := aead.Open(sealed[:0], record[20:recordHeader], sealed, pl.bound(size))
	if err != nil {
		return nil, errRecord
	}
	return data, nil
}
