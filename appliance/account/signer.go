package account

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"veilbox/appliance/incident"
	"veilbox/internal/keys"
)

// A sealedKey is a signing key's seed, sealed under argon2id of the person's
// password with a salt of its own.
type sealedKey struct {
	Params
	Salt []byte `json:"salt"`
	Box  []byte `json:"box"`
}

func signerContext(id incident.PersonID, public ed25519.PublicKey) string {
	return "account signer/" + string(id) + "/" + hex.EncodeToString(public)
}

// newSigner retires r's signing key and makes another under password.
func (a *Accounts) newSigner(ctx context.Context, r *record, password, why string) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("account: %w", err)
	}
	sealed, err := a.sealSigner(ctx, r.ID, private, password)
	if err != nil {
		return err
	}
	a.retireSigner(r)
	if len(r.Signers) >= maxOldSigners {
		r.Signers = r.Signers[len(r.Signers)-maxOldSigners+1:]
	}
	r.Signers = append(r.Signers, Signer{Public: public, Made: a.now(), Why: why})
	r.Sealed = sealed
	return nil
}

func (a *Accounts) sealSigner(ctx context.Context, id incident.PersonID, private ed25519.PrivateKey, password string) (*sealedKey, error) {
	s := &sealedKey{Params: a.o.Params, Salt: make([]byte, 16)}
	rand.Read(s.Salt)
	b, err := a.derive(ctx, s.Params, password, s.Salt)
	if err != nil {
		return nil, err
	}
	k, err := keys.FromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	s.Box = k.Seal(signerContext(id, private.Public().(ed25519.PublicKey)), private.Seed())
	return s, nil
}

func (a *Accounts) retireSigner(r *record) {
	if n := len(r.Signers); n > 0 && r.Signers[n-1].Retired == nil {
		now := a.now()
		r.Signers[n-1].Retired = &now
	}
	r.Sealed = nil
}

// openSigner opens r's signing key. A password that does not open it is ErrPassword.
func (a *Accounts) openSigner(ctx context.Context, r *record, password string) (ed25519.PrivateKey, error) {
	s, ok := r.Signer()
	if !ok || r.Sealed == nil {
		return nil, ErrNoSigner
	}
	if len(password) == 0 || len(password) > MaxPassword {
		return nil, ErrPassword
	}
	b, err := a.derive(ctx, r.Sealed.Params, password, r.Sealed.Salt)
	if err != nil {
		return nil, err
	}
	k, err := keys.FromBytes(b)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	seed, err := k.Open(signerContext(r.ID, s.Public), r.Sealed.Box)
	if err != nil {
		return nil, ErrPassword.With(err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("account: the signing key of %s is damaged: reset the password to make a new one", r.ID)
	}
	private := ed25519.NewKeyFromSeed(seed)
	if !s.Public.Equal(private.Public()) {
		return nil, fmt.Errorf("account: the signing key of %s is not the one on record: reset the password to make a new one", r.ID)
	}
	return private, nil
}

// UnlockSigner opens an assessor's signing key with that person's own password,
// for one approval: the caller signs and forgets it.
func (a *Accounts) UnlockSigner(ctx context.Context, id incident.PersonID, password string) (ed25519.PrivateKey, error) {
	r, err := a.load(ctx, id)
	if err != nil {
		return nil, err
	}
	if !r.Active || !r.Can(Assess) {
		return nil, ErrNoSigner
	}
	done, err := a.limits.person(id, a.now())
	if err != nil {
		return nil, err
	}
	private, err := a.openSigner(ctx, r, password)
	if err == nil {
		done()
	}
	return private, err
}

// ConfirmSigner records that the operator has registered an assessor's key. A
// key that is not the one in use is ErrNoSigner.
func (a *Accounts) ConfirmSigner(ctx context.Context, id incident.PersonID, public ed25519.PublicKey) (Person, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, err := a.load(ctx, id)
	if err != nil {
		return Person{}, err
	}
	s, ok := r.Signer()
	if !ok || !s.Public.Equal(public) {
		return Person{}, ErrNoSigner
	}
	if s.Confirmed == nil {
		now := a.now()
		r.Signers[len(r.Signers)-1].Confirmed = &now
		if err := a.save(ctx, r); err != nil {
			return Person{}, err
		}
	}
	return r.public(), nil
}
