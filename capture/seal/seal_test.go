package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"veilbox/internal/keys"
)

func testKey(t testing.TB, b byte) keys.Key {
	t.Helper()
	k, err := keys.FromBytes(bytes.Repeat([]byte{b}, keys.Size))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func plain(n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)})
	r.Read(b)
	return b
}

func sealed(t testing.TB, b []byte, context string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(&out, testKey(t, 7), context, [32]byte{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// openBoth reads file in both ways, which must agree.
func openBoth(t testing.TB, file []byte, context string) ([]byte, error) {
	t.Helper()
	k := testKey(t, 7)
	var stream []byte
	r, err := NewReader(bytes.NewReader(file), k, context)
	if err == nil {
		stream, err = io.ReadAll(r)
	}
	var whole []byte
	a, errAt := OpenAt(bytes.NewReader(file), int64(len(file)), k, context)
	if errAt == nil {
		whole, errAt = io.ReadAll(io.NewSectionReader(a, 0, a.Size()))
	}
	if (err == nil) != (errAt == nil) {
		t.Fatalf("in order: %v; at places: %v", err, errAt)
	}
	if err == nil && !bytes.Equal(stream, whole) {
		t.Fatal("the two ways of reading differ")
	}
	for _, e := range []error{err, errAt} {
		if e != nil && !errors.Is(e, ErrDamaged) {
			t.Fatalf("not ErrDamaged: %v", e)
		}
	}
	return stream, err
}

var sizes = []int{0, 1, 15, 16, ChunkSize - 1, ChunkSize, ChunkSize + 1, 2 * ChunkSize, 3*ChunkSize + 17}

func TestRoundTrip(t *testing.T) {
	for _, n := range sizes {
		file := sealed(t, plain(n), "clip/1")
		if int64(len(file)) != SealedSize(int64(n)) {
			t.Errorf("%d bytes sealed are %d, want %d", n, len(file), SealedSize(int64(n)))
		}
		got, err := openBoth(t, file, "clip/1")
		if err != nil || !bytes.Equal(got, plain(n)) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// The vectors hold the format still: a file sealed today opens years from now.
// Each line of the file is: plaintext size, SHA-256 of the sealed file, and for
// small ones the sealed file itself. Key 32 x 07, salt 01 02 03 00..., context
// "vector".
func TestVectors(t *testing.T) {
	b, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) != len(sizes) {
		t.Fatalf("%d vectors, want %d", len(lines), len(sizes))
	}
	for i, line := range lines {
		f := strings.Fields(line)
		n, err := strconv.Atoi(f[0])
		if err != nil || n != sizes[i] {
			t.Fatalf("line %d: size %s, want %d", i+1, f[0], sizes[i])
		}
		p := bytes.Repeat([]byte{0x5a}, n)
		file := sealed(t, p, "vector")
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != f[1] {
			t.Errorf("%d bytes: the sealed file has the hash %x, want %s", n, sum, f[1])
		}
		if len(f) < 3 {
			continue
		}
		kept, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := openBoth(t, kept, "vector"); err != nil || !bytes.Equal(got, p) {
			t.Errorf("the kept file of %d bytes does not open: %v", n, err)
		}
	}
}

func TestEveryChangeIsFound(t *testing.T) {
	const n = 3*ChunkSize + 100
	file := sealed(t, plain(n), "clip/1")
	chunk := func(i int) []byte {
		return file[headerSize+i*sealedSize : min(len(file), headerSize+(i+1)*sealedSize)]
	}
	join := func(bs ...[]byte) []byte { return bytes.Join(bs, nil) }
	head := file[:headerSize]
	other := sealed(t, plain(n), "clip/2")
	cases := map[string][]byte{
		"empty":                     nil,
		"header alone":              head,
		"first two swapped":         join(head, chunk(1), chunk(0), chunk(2), chunk(3)),
		"first left out":            join(head, chunk(1), chunk(2), chunk(3)),
		"middle left out":           join(head, chunk(0), chunk(2), chunk(3)),
		"last twice":                join(file, chunk(3)),
		"full chunk appended":       join(file, chunk(0)),
		"full chunk twice":          join(head, chunk(0), chunk(0), chunk(1), chunk(2), chunk(3)),
		"zeros appended":            join(file, make([]byte, 40)),
		"one byte appended":         join(file, []byte{0}),
		"chunk of another file":     join(head, chunk(0), other[headerSize+sealedSize:headerSize+2*sealedSize], chunk(2), chunk(3)),
		"header of another version": join([]byte("VEILSEA\x02"), file[8:]),
		"last one moved forward":    join(head, chunk(3)),
	}
	for i := 0; i <= 3; i++ {
		cases["cut after chunk "+strconv.Itoa(i)] = file[:headerSize+i*sealedSize]
	}
	for _, at := range []int{1, headerSize - 1, headerSize + 1, headerSize + tagSize, headerSize + sealedSize + tagSize, len(file) - 1, len(file) - 100, len(file) - 116} {
		cases["cut at "+strconv.Itoa(at)] = file[:at]
	}
	for name, b := range cases {
		if _, err := openBoth(t, b, "clip/1"); err == nil {
			t.Errorf("%s: not found", name)
		}
	}
	if _, err := openBoth(t, file, "clip/2"); err == nil {
		t.Error("it opens in another place")
	}
	if _, err := OpenAt(bytes.NewReader(file), int64(len(file)), testKey(t, 8), "clip/1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("with another key: %v", err)
	}
}

func TestEveryBitCounts(t *testing.T) {
	file := sealed(t, plain(50), "clip/1")
	for i := range len(file) * 8 {
		b := bytes.Clone(file)
		b[i/8] ^= 1 << (i % 8)
		if _, err := openBoth(t, b, "clip/1"); err == nil {
			t.Fatalf("bit %d of %d: not found", i, len(file)*8)
		}
	}
	for i := range file {
		if _, err := openBoth(t, file[:i], "clip/1"); err == nil {
			t.Fatalf("cut to %d of %d bytes: not found", i, len(file))
		}
	}
}

func TestReadAtAnyPlace(t *testing.T) {
	b := plain(3*ChunkSize + 1000)
	file := sealed(t, b, "x")
	a, err := OpenAt(bytes.NewReader(file), int64(len(file)), testKey(t, 7), "x")
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		off := r.Int64N(int64(len(b)) + 10)
		p := make([]byte, r.IntN(2*ChunkSize))
		n, err := a.ReadAt(p, off)
		want := b[min(off, int64(len(b))):min(off+int64(len(p)), int64(len(b)))]
		if !bytes.Equal(p[:n], want) || (err == io.EOF) != (n < len(p)) || err != nil && err != io.EOF {
			t.Fatalf("%d bytes at %d: got %d, %v", len(p), off, n, err)
		}
	}
}

// A damaged chunk spoils what is in it and nothing else, and the cache does not
// keep what failed.
func TestDamageStaysInItsChunk(t *testing.T) {
	b := plain(3 * ChunkSize)
	file := sealed(t, b, "x")
	file[headerSize+sealedSize+5] ^= 1
	a, err := OpenAt(bytes.NewReader(file), int64(len(file)), testKey(t, 7), "x")
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 10)
	for range 2 {
		if _, err := a.ReadAt(p, ChunkSize+1); !errors.Is(err, ErrDamaged) {
			t.Errorf("in the damaged chunk: %v", err)
		}
		if _, err := a.ReadAt(p, 1); err != nil || !bytes.Equal(p, b[1:11]) {
			t.Errorf("in the chunk before: %v", err)
		}
	}
}

func TestStreamsInAnyPieces(t *testing.T) {
	b := plain(2*ChunkSize + 5)
	var out bytes.Buffer
	w, err := NewWriter(&out, testKey(t, 7), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(struct{ io.Writer }{w}, iotest.HalfReader(bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := w.Write([]byte{1}); err == nil {
		t.Error("a write after Close is taken")
	}
	r, err := NewReader(iotest.OneByteReader(&out), testKey(t, 7), "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(struct{ io.Reader }{r}, b); err != nil {
		t.Error(err)
	}
}

func TestDiskErrorIsNoDamage(t *testing.T) {
	file := sealed(t, plain(2*ChunkSize), "x")
	broken := errors.New("input/output error")
	r, err := NewReader(io.MultiReader(bytes.NewReader(file[:headerSize+100]), iotest.ErrReader(broken)), testKey(t, 7), "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestRefusesBadArguments(t *testing.T) {
	if _, err := NewWriter(io.Discard, keys.Key{}, "x"); err == nil {
		t.Error("a key that was never set is taken")
	}
	for _, c := range []string{"", strings.Repeat("x", maxContext+1)} {
		if _, err := NewWriter(io.Discard, testKey(t, 1), c); err == nil {
			t.Errorf("a context of %d bytes is taken", len(c))
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, n := range []int{0, 1, 100} {
		f.Add(sealed(f, plain(n), "x"))
	}
	f.Add(sealed(f, plain(ChunkSize+1), "x"))
	f.Add([]byte("VEILSEA\x01"))
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := openBoth(t, file, "x")
		if err != nil {
			return
		}
		// Only what the key's holder sealed opens.
		for _, n := range []int{0, 1, 100, ChunkSize + 1} {
			if bytes.Equal(got, plain(n)) {
				return
			}
		}
		t.Fatalf("a forged file of %d bytes opens", len(file))
	})
}

func BenchmarkWrite(b *testing.B) {
	p := plain(1 << 20)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		w, err := NewWriter(io.Discard, testKey(b, 7), "x")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(p); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
