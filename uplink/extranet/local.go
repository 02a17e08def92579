package extranet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"veilbox/uplink/wire"
)

// What root does on the machine itself, over a socket in the extranet's folder, by
// the command veil-extranet: whoever is root there can do anything to the register,
// so this asks for no password; it asks the kernel who calls, and every act is in
// the audit log as root's. It is the way in again where every operator has lost
// theirs.
//
//	GET  /api/v1/assessors    POST .../{member}/{key}/confirm {reason}, .../revoke {reason}
//	GET  /api/v1/operators    POST {name, person}; .../{name}/reset {reason}, .../{name}/remove {reason}

const (
	// LocalSocket is the socket's name in the folder.
	LocalSocket = "local.sock"

	localPrefix = "local:" // no account's name begins so
	maxSocket   = 107      // bytes of a socket's path, unix(7)
)

type callerKey struct{}

func (s *Server) localRoutes() map[string]operatorCall {
	return map[string]operatorCall{
		"GET /api/v1/assessors":                         s.listAssessors,
		"POST /api/v1/assessors/{member}/{key}/confirm": s.confirmAssessor,
		"POST /api/v1/assessors/{member}/{key}/revoke":  s.revokeAssessor,
		"GET /api/v1/operators":                         s.listOperators,
		"POST /api/v1/operators":                        s.addOperator,
		"POST /api/v1/operators/{name}/reset":           s.resetOperator,
		"POST /api/v1/operators/{name}/remove":          s.removeOperator,
	}
}

// listenLocal makes the socket, for the folder's owner and root alone.
func (s *Server) listenLocal() (net.Listener, error) {
	path := filepath.Join(s.o.Dir, LocalSocket)
	if len(path) > maxSocket {
		s.o.Log.Warn("the folder's path is too long for a socket: the commands of veil-extranet for this machine will not work", "dir", s.o.Dir)
		return nil, nil
	}
	// What a crash left; that nobody else serves the folder the ports have shown.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, ErrDir.With(fmt.Errorf("extranet: %w", err))
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, ErrDir.With(fmt.Errorf("extranet: %w", err))
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(ErrDir.With(fmt.Errorf("extranet: %w", err)), l.Close())
	}
	return l, nil
}

// localServer answers on the socket.
func (s *Server) localServer() *http.Server {
	m := http.NewServeMux()
	for pattern, call := range s.localRoutes() {
		m.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			s.met.requests.WithLabelValues("local").Inc()
			name, err := localCaller(r.Context())
			if err != nil {
				s.answer(w, r, nil, err)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, wire.MaxMessage)
			a, err := call(r.Context(), name, r)
			s.answer(w, r, a, err)
		})
	}
	h := s.httpServer(m, nil)
	h.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, callerKey{}, c)
	}
	return h
}

// localCaller returns who calls, as the kernel says (SO_PEERCRED).
func localCaller(ctx context.Context) (string, error) {
	c, ok := ctx.Value(callerKey{}).(*net.UnixConn)
	if !ok {
		return "", errLocal
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return "", errLocal.With(fmt.Errorf("extranet: %w", err))
	}
	var peer *syscall.Ucred
	var got error
	if err := raw.Control(func(fd uintptr) {
		peer, got = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || got != nil {
		return "", errLocal.With(fmt.Errorf("extranet: %w", errors.Join(err, got)))
	}
	return localName(int(peer.Uid), os.Getuid())
}

// localName is what the audit log calls a caller with that user number.
func localName(uid, own int) (string, error) {
	switch uid {
	case 0:
		return localPrefix + "root", nil
	case own:
		return localPrefix + "uid " + strconv.Itoa(uid), nil
	}
	return "", errLocal
}
