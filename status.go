package counterfoil

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/counterfoil/counterfoil/feed"
	"github.com/counterfoil/counterfoil/store"
)

// StatusPath is where [Manager.StatusList] has to be found: the number of the
// list follows.
const StatusPath = "/v1/status/"

const (
	statusType = "statuslist+jwt" // draft-ietf-oauth-status-list-20 section 5.1
	statusTTL  = 5 * time.Second  // how long a reader may keep a list
	statusLife = time.Minute      // and until when he may rely on it, if he can't get another

	// statusLevel is how hard lists are compressed, for the second that they are
	// good for. The highest level, which the draft recommends, takes 120 ms where
	// 10,000 sessions have ended; this one takes 2 and a fifth more room.
	statusLevel = 5

	statusAge     = time.Second // for which ended sessions are not gone through again
	maxSignedList = 64          // kept at a time, of up to MaxJWTLength each
)

// A statusView is what the view of ended sessions knew at one moment, by list.
// It is good for as long as the lease lasts that it rests on, as any check is.
type statusView struct {
	check feed.Check
	at    time.Time
	cut   int64
	ended map[uint32][]uint32 // the indexes

	signed map[uint32]string
}

// statuses are what the lists are made of.
type statuses struct {
	mu     sync.Mutex
	view   *statusView
	record listRecord // as it was last read: newer ones only say more
}

// StatusList serves status lists (draft-ietf-oauth-status-list-20), on the path
// [StatusPath] and a number, for whoever checks our tokens without asking us
// about each: bit idx of the list is set once the session has ended. A list says
// all that had ended Config.Bound before. It may be kept for five seconds, by its
// ttl, and nobody may rely on it for more than a minute, by its exp. While this
// process can't know, the answer is ErrUnavailable, never an old list. It answers
// ErrNotFound for a number that no list has, and without Config.StatusLists.
func (m *Manager) StatusList() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed, err := m.statusList(r)
		switch {
		case errors.Is(err, ErrNotFound): // nobody was refused
			m.config.ErrorHandler(w, r, err)
			return
		case err != nil:
			m.refuse(w, r, err)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/"+statusType)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Access-Control-Allow-Origin", "*") // section 8.1: browsers may read it
		h.Set("Cache-Control", "no-store")        // a copy on the way would add its age to the ttl
		h.Set("Content-Length", strconv.Itoa(len(signed)))
		io.WriteString(w, signed) // nobody is left to tell if the client has gone
	})
}

// errNoList is ErrNotFound, in the words that fit.
var errNoList = wrap(ErrNotFound, errors.New("no such status list"))

// listOf reads the number of the list, which has one spelling. There are no
// lists of the past (section 8.4).
func (m *Manager) listOf(r *http.Request) (uint32, error) {
	name := strings.TrimPrefix(r.URL.Path, StatusPath)
	list, err := strconv.ParseUint(name, 10, 32)
	if err != nil || strconv.FormatUint(list, 10) != name || r.URL.Query().Has("time") || !m.config.StatusLists {
		return 0, errNoList
	}
	return uint32(list), nil
}

// statusList returns the list that is asked for, signed. It waits for a proof where the lease has
// ended.
func (m *Manager) statusList(r *http.Request) (string, error) {
	list, err := m.listOf(r)
	if err != nil {
		return "", err
	}
	for range recallAttempts {
		signed, err := m.signedList(r.Context(), list)
		if err != errUnproven {
			return signed, err
		}
		if err := m.follower.Prove(r.Context()); err != nil {
			return "", wrap(ErrUnavailable, err)
		}
	}
	return "", wrap(ErrUnavailable, errOvertaken)
}

var errUnproven = errors.New("the view of ended sessions is not proven")

// signedList is statusList without the wait.
func (m *Manager) signedList(ctx context.Context, list uint32) (string, error) {
	s := &m.statuses
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view == nil || !s.view.fresh() {
		s.view = m.newStatusView()
	}
	v := s.view
	now, proven := v.check.Finish()
	if !proven {
		return "", errUnproven
	}
	if signed := v.signed[list]; signed != "" {
		return signed, nil
	}
	if err := m.renewRecord(ctx, list); err != nil {
		return "", err
	}
	if list >= s.record.Next {
		return "", errNoList
	}
	signed, err := m.SignJWT(statusType, m.statusClaims(list, now, s.encoded(list)))
	if err == nil && len(v.signed) < maxSignedList {
		v.signed[list] = signed
	}
	return signed, err
}

func (v *statusView) fresh() bool {
	now, proven := v.check.Finish()
	return proven && now.Sub(v.at) < statusAge
}

// newStatusView goes through the ended sessions. As in every check the lease is
// read before, and the clock after it.
func (m *Manager) newStatusView() *statusView {
	v := &statusView{check: m.view.Begin(), ended: map[uint32][]uint32{}, signed: map[uint32]string{}}
	for id := range m.view.EndedSessions() {
		if list, index, ok := id.Listed(); ok {
			v.ended[list] = append(v.ended[list], index)
		}
	}
	v.cut = m.cut()
	v.at, _ = v.check.Finish()
	return v
}

// renewRecord reads the record again if what is known of it does not say enough
// for that list. Called with statuses.mu held.
func (m *Manager) renewRecord(ctx context.Context, list uint32) error {
	s := &m.statuses
	if list < s.record.Next && s.view.cut <= s.record.Cut {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, max(m.config.Bound, time.Second))
	defer cancel()
	record, _, err := m.readLists(ctx)
	if err == nil {
		s.record = record
	}
	return err
}

// encoded is a list as its claim has it. Called with mu held.
func (s *statuses) encoded(list uint32) string {
	if s.record.void(list, s.view.cut) {
		return everyStatus()
	}
	ended := s.view.ended[list]
	if len(ended) == 0 {
		return noStatus()
	}
	bits := make([]byte, store.ListSize/8)
	for _, index := range ended {
		bits[index/8] |= 1 << (index % 8)
	}
	return encodeStatuses(bits)
}

// Most lists are one of these.
var (
	noStatus    = sync.OnceValue(func() string { return encodeStatuses(make([]byte, store.ListSize/8)) })
	everyStatus = sync.OnceValue(func() string { return encodeStatuses(bytes.Repeat([]byte{0xff}, store.ListSize/8)) })
)

// encodeStatuses compresses a list (section 4.1) and writes it down (4.2).
func encodeStatuses(bits []byte) string {
	var compressed bytes.Buffer
	w, err := zlib.NewWriterLevel(&compressed, statusLevel)
	if err == nil {
		_, err = w.Write(bits)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("counterfoil: a buffer takes no bytes: " + err.Error()) // a bug
	}
	return base64.RawURLEncoding.EncodeToString(compressed.Bytes())
}

// statusClaims are those of a status list token (section 5.1).
type statusClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
	TTL      int64  `json:"ttl"`
	List     struct {
		Bits int    `json:"bits"`
		List string `json:"lst"`
	} `json:"status_list"`
}

func (m *Manager) statusClaims(list uint32, now time.Time, encoded string) statusClaims {
	c := statusClaims{
		Issuer:   m.issuer(),
		Subject:  m.statusURI(list),
		IssuedAt: now.Unix(),
		Expires:  now.Add(statusLife).Unix(),
		TTL:      int64(statusTTL.Seconds()),
	}
	c.List.Bits, c.List.List = 1, encoded
	return c
}
