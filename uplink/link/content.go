package link

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	"veilbox/appliance/incident"
	"veilbox/uplink/wire"
)

// blockSize is what Content fetches at a time: 16 sealed chunks, so that a
// player that reads on does not wait for the network at each of them.
const (
	blockSize  = 1 << 20
	blocksKept = 4
)

// Content reads the ciphertext of one disclosure under one viewing's token. It
// implements io.ReaderAt, is safe for concurrent use, and keeps a few blocks in
// memory; nothing of it is written to disk.
type Content struct {
	ctx   context.Context
	c     *Client
	id    incident.DisclosureID
	token string
	size  int64

	mu     sync.Mutex
	blocks map[int64][]byte
	order  []int64 // oldest first
}

// Content returns a reader of size bytes of ciphertext. ctx bounds all reads.
func (c *Client) Content(ctx context.Context, id incident.DisclosureID, token string, size int64) *Content {
	return &Content{ctx: ctx, c: c, id: id, token: token, size: size, blocks: map[int64][]byte{}}
}

// Size returns the size of the ciphertext in bytes.
func (r *Content) Size() int64 { return r.size }

// ReadAt implements io.ReaderAt.
func (r *Content) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("link: negative offset %d", off)
	}
	n := 0
	for n < len(p) && off < r.size {
		b, err := r.block(off / blockSize)
		if err != nil {
			return n, err
		}
		m := copy(p[n:], b[off%blockSize:])
		n += m
		off += int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (r *Content) block(i int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, ok := r.blocks[i]; ok {
		return b, nil
	}
	from := i * blockSize
	b := make([]byte, min(blockSize, r.size-from))
	h := http.Header{
		wire.ViewingHeader: {r.token},
		"Range":            {fmt.Sprintf("bytes=%d-%d", from, from+int64(len(b))-1)},
	}
	resp, err := r.c.request(r.ctx, http.MethodGet, path(r.id, "content"), h, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return nil, ErrAnswer.With(fmt.Errorf("link: status %d for a range", resp.StatusCode))
	}
	if _, err := io.ReadFull(resp.Body, b); err != nil {
		return nil, explain(r.ctx, err)
	}
	if len(r.order) == blocksKept {
		delete(r.blocks, r.order[0])
		r.order = r.order[1:]
	}
	r.blocks[i] = b
	r.order = append(r.order, i)
	return b, nil
}
