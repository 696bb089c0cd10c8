package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"
)

// A cost says how dear one hash is, in the terms of Argon2 (RFC 9106).
type cost struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// defaultCost is what OWASP's password storage cheat sheet asks for (req 34).
var defaultCost = cost{memory: 19456, time: 2, threads: 1}

// maxCost bounds what a stored hash may ask for, so that a damaged row can't
// exhaust the memory.
var maxCost = cost{memory: 1 << 20, time: 64, threads: 16}

const (
	saltSize = 16
	keySize  = 32

	// maxQueue is how many may wait for a turn, and maxWait for how long: there
	// must be time left to answer. At some 30 ms a hash, the last in the queue of
	// a machine with two processors waits for 8 s; for 19 s where each rests.
	maxQueue = 256
	maxWait  = 25 * time.Second

	// othersFor is for how long somebody who asks for something else is taken
	// to go on asking.
	othersFor = time.Second
)

// A hasher makes and checks password hashes, a bounded number at a time: a
// flood of logins can't exhaust the memory.
//
// Nor may it slow down everybody else. Go takes a processor away from a hash
// only every 10 ms, so a request that is done in a few microseconds waits for
// 10 ms where all processors hash. So half of them do at most; and while others
// ask for something, each rests after a hash for half as long again as that took:
// the median request then finds none under way.
type hasher struct {
	cost       cost
	derive     func(password, salt []byte, c cost) []byte // argon2id; tests count its calls
	turns      chan struct{}                              // twice as many: there is the database to be asked, too
	processors chan struct{}                              // those that hash, or rest
	waiting    atomic.Int64
	nobody     string // the hash of a password that nobody has

	begun  time.Time
	others atomic.Int64 // when somebody last asked for something else, since begun; zero: never
}

func newHasher(c cost, parallelism int) *hasher {
	h := &hasher{
		cost:       c,
		derive:     argon2id,
		turns:      make(chan struct{}, 2*parallelism),
		processors: make(chan struct{}, parallelism),
		begun:      time.Now(),
	}
	h.nobody = h.hash(rand.Text())
	return h
}

func argon2id(password, salt []byte, c cost) []byte {
	return argon2.IDKey(password, salt, c.time, c.memory, c.threads, keySize)
}

// makeWay notes that somebody asks for something else.
func (h *hasher) makeWay() { h.others.Store(int64(time.Since(h.begun))) }

// makesWay reports whether somebody has, of late.
func (h *hasher) makesWay() bool {
	last := time.Duration(h.others.Load())
	return last > 0 && time.Since(h.begun)-last < othersFor
}

// turn waits for a turn to check or hash a password. Call done when it is over.
//
// Errors: [ErrBusy]; the context's.
func (h *hasher) turn(ctx context.Context) (done func(), err error) {
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > maxQueue {
		return nil, ErrBusy
	}
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-late.C:
		return nil, ErrBusy
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// key derives a key on a processor that is free for it. Whose password it is, or
// whether it is right, makes no difference to the rest.
func (h *hasher) key(password string, salt []byte, c cost) []byte {
	h.processors <- struct{}{}
	begun := time.Now()
	defer func() {
		if h.makesWay() {
			time.AfterFunc(restAfter(time.Since(begun)), h.rested)
		} else {
			h.rested()
		}
	}()
	return h.derive([]byte(password), salt, c)
}

func restAfter(hash time.Duration) time.Duration { return hash * 3 / 2 }

func (h *hasher) rested() { <-h.processors }

// hash returns the password's hash in PHC format. The caller has a turn.
func (h *hasher) hash(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	key := h.key(password, salt, h.cost)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		h.cost.memory, h.cost.time, h.cost.threads, phcBase64.EncodeToString(salt), phcBase64.EncodeToString(key))
}

// matches reports whether the hash is the password's, and whether a new one
// would be stronger. The caller has a turn.
func (h *hasher) matches(hash, password string) (ok, outdated bool, err error) {
	c, salt, key, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	tooLong := len(password) > MaxPassword
	if tooLong {
		password = "" // nobody has it; the check below takes its usual time
	}
	same := subtle.ConstantTimeCompare(h.key(password, salt, c), key) == 1
	return same && !tooLong, c.memory < h.cost.memory || c.time < h.cost.time, nil
}

var (
	phcBase64 = base64.RawStdEncoding.Strict()
	errPHC    = errors.New("a stored password hash is damaged: set the user's password anew")
)

// parsePHC reads what hash wrote:
// https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md
func parsePHC(hash string) (c cost, salt, key []byte, err error) {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return cost{}, nil, nil, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &c.memory, &c.time, &c.threads); err != nil {
		return cost{}, nil, nil, errPHC
	}
	if c.time < 1 || c.threads < 1 || c.memory > maxCost.memory || c.time > maxCost.time || c.threads > maxCost.threads {
		return cost{}, nil, nil, errPHC
	}
	salt, saltErr := phcBase64.DecodeString(parts[4])
	key, keyErr := phcBase64.DecodeString(parts[5])
	if saltErr != nil || keyErr != nil || len(salt) < saltSize || len(key) != keySize {
		return cost{}, nil, nil, errPHC
	}
	return c, salt, key, nil
}
