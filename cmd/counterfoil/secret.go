package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/counterfoil/counterfoil/token"
)

// A secret encrypts the signing keys in the store. Its file is one line of 64
// hexadecimal digits.
type secret [32]byte

// A secretFile is a secret, and where it is.
type secretFile struct {
	*secret
	path string
	made bool // just now
}

// secretPath is where the secret is.
func (o *options) secretPath() (string, error) {
	if o.SecretFile != "" {
		return o.SecretFile, nil
	}
	p, err := o.storePlace()
	return p.besideDatabase(defaultSecret), err
}

// loadSecret reads the secret of --secret-file, or makes one where the file is
// missing.
func (o *options) loadSecret() (f secretFile, err error) {
	if f.path, err = o.secretPath(); err != nil {
		return f, err
	}
	f.secret, err = readSecret(f.path)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := makeSecret(f.path); err == nil {
		f.made = true
	} else if !errors.Is(err, fs.ErrExist) { // another process was faster
		return f, usagef("secret file %s can't be made: %w", f.path, withoutPath(err))
	}
	f.secret, err = readSecret(f.path)
	return f, err
}

// withoutPath takes the path out of an error of package os: it is one that
// nobody has chosen.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// forget takes a secret away that was made just now, and not used.
func (f secretFile) forget() error {
	if !f.made {
		return nil
	}
	return os.Remove(f.path)
}

func readSecret(path string) (*secret, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, usagef("secret file: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, usagef("secret file: %w", err)
	}
	// Windows has no such bits; there the directory's rights decide.
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, usagef("secret file %s can be read by others (mode %04o): run chmod 600 %s", path, mode, path)
	}
	text := make([]byte, 2*len(secret{})+2)
	n, err := file.Read(text)
	if err != nil {
		return nil, usagef("secret file %s: %w", path, err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text[:n])))
	if err != nil || len(raw) != len(secret{}) {
		return nil, usagef("secret file %s is damaged: it takes one line of 64 hexadecimal digits", path)
	}
	return (*secret)(raw), nil
}

// copySecret makes the file where the file system has no links. Who reads it in
// between finds it damaged and has to start again.
func copySecret(s secret, path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(file, "%x\n", s[:])
	return errors.Join(err, file.Sync(), file.Close())
}

// makeSecret makes the file, whole or not at all: of several servers that start
// at once, one does, and the others read what it wrote.
func makeSecret(path string) error {
	var s secret
	rand.Read(s[:])
	file, err := os.CreateTemp(filepath.Dir(path), ".counterfoil-secret-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = fmt.Fprintf(file, "%x\n", s[:])
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path) // fails where the file exists
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	return copySecret(s, path)
}

// explain turns "the secret does not open the keys" into what to do about it. A
// secret that was made just now, and does not fit, is taken away again.
func (f secretFile) explain(err error) error {
	if !errors.Is(err, token.ErrWrongSecret) {
		return err
	}
	if !f.made {
		return usagef("the secret in %s does not open the signing keys in the store: give the right one by --secret-file", f.path)
	}
	return errors.Join(
		usagef("there is no secret file %s, and the signing keys in the store need the one that sealed them: give it by --secret-file", f.path),
		f.forget())
}
