package redis_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/counterfoil/counterfoil/internal/servers"
	"github.com/counterfoil/counterfoil/store"
	"github.com/counterfoil/counterfoil/store/redis"
)

// walk logs a user in and out, and has a node hear of it.
func walk(t *testing.T, s *redis.Store) {
	t.Helper()
	hints := make(chan store.Hint, 10)
	watching := make(chan error, 1)
	go func() { watching <- s.Watch(t.Context(), func(h store.Hint) { hints <- h }) }()
	hear := func(want store.Hint) {
		t.Helper()
		for {
			select {
			case h := <-hints:
				if h == want {
					return
				}
			case err := <-watching:
				t.Fatalf("Watch: %v", err)
			case <-time.After(20 * time.Second):
				t.Fatalf("the hint %d did not come", want)
			}
		}
	}
	hear(store.LogGrew)
	one, two := create(t, s, "john"), create(t, s, "john")
	if err := s.SaveValues(t.Context(), one, 1, []byte("values")); err != nil {
		t.Fatal(err)
	}
	end(t, s, one)
	hear(store.LogGrew)
	if err := s.Nudge(t.Context()); err != nil {
		t.Fatal(err)
	}
	hear(store.BeatNow)
	finds(t, s, one, store.ErrNotFound)
	finds(t, s, two, nil)
	if e, err := s.EndUser(t.Context(), "john", store.SID{}, time.Hour); err != nil || e.Count != 1 {
		t.Fatalf("EndUser: %+v, error %v", e, err)
	}
	news, err := s.Beat(t.Context(), store.Beat{Node: store.NewNodeID(), Bound: time.Second, Limit: 10})
	if err != nil || len(news.Entries) != 2 {
		t.Fatalf("Beat: %+v, error %v", news, err)
	}
}

// A cluster keeps a store on one of its servers, whichever has the slot.
func TestCluster(t *testing.T) {
	var nodes []*servers.RedisServer
	var addresses []string
	for range 3 {
		// The nodes speak to each other on a port of their own.
		s := servers.StartRedis(t, map[string]string{"cluster-enabled": "yes", "cluster-port": freePort(t), "requirepass": "password"})
		nodes, addresses = append(nodes, s), append(addresses, s.Address())
	}
	for i, s := range nodes {
		restricted(t, s, "*", "+cluster|slots", "+cluster|shards")
		s.Do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*5500), fmt.Sprint(min(i*5500+5499, 16383)))
		host, port, _ := net.SplitHostPort(nodes[0].Address())
		bus := strings.TrimPrefix(nodes[0].Do("CONFIG", "GET", "cluster-port"), "cluster-port\n")
		s.Do("CLUSTER", "MEET", host, port, bus)
	}
	for _, s := range nodes {
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			info := s.Do("CLUSTER", "INFO")
			if strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("the cluster is not ready: %s", info)
			}
		}
	}
	if _, err := tryOpen(t, nodes[0].URL(), redis.Config{}); err == nil || !strings.Contains(err.Error(), "redis+cluster") {
		t.Errorf("one server of a cluster: error %v", err)
	}
	url := "redis+cluster://counterfoil:password@" + strings.Join(addresses, ",")
	for _, prefix := range []string{"one", "two", "three", "four"} { // in different slots
		walk(t, open(t, url, redis.Config{Prefix: prefix}))
	}
	halfMoved(t, url, nodes)
	used := 0
	for _, s := range nodes {
		if s.Do("DBSIZE") != "0" {
			used++
		}
	}
	if used < 2 {
		t.Errorf("%d servers have keys: the test shows nothing", used)
	}
}

// halfMoved looks at a store while its slot moves to another server: there a
// script would find a part of the keys, and end nothing.
func halfMoved(t *testing.T, url string, nodes []*servers.RedisServer) {
	t.Helper()
	const meta = "{moving}:meta"
	s := open(t, url, redis.Config{Prefix: "moving"})
	id := create(t, s, "john")
	slot := nodes[0].Do("CLUSTER", "KEYSLOT", meta)
	var from, to *servers.RedisServer
	for _, n := range nodes {
		if n.Do("CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			from = n
		} else {
			to = n
		}
	}
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do("CLUSTER", "MYID"))
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.Do("CLUSTER", "MYID"))
	host, port, _ := net.SplitHostPort(to.Address())
	move := func(key string) { from.Do("MIGRATE", host, port, key, "0", "5000", "AUTH", "password") }
	session := "{moving}:session:" + id.String()
	for _, key := range []string{session, meta} { // each alone at first
		move(key)
		if e, err := s.End(t.Context(), id, time.Hour); err == nil {
			t.Errorf("End with %s moved: %+v", key, e)
		}
		if _, err := s.Find(t.Context(), id); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("Find with %s moved: error %v", key, err)
		}
	}
	for _, key := range strings.Fields(from.Do("CLUSTER", "GETKEYSINSLOT", slot, "100")) {
		move(key)
	}
	for _, n := range []*servers.RedisServer{to, from} {
		n.Do("CLUSTER", "SETSLOT", slot, "NODE", to.Do("CLUSTER", "MYID"))
	}
	settle(t, s)
	end(t, s, id)
	finds(t, s, id, store.ErrNotFound)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// When the primary is gone a store goes on with the one that Sentinel has
// promoted, and what the replica had is there.
func TestSentinel(t *testing.T) {
	primary := servers.StartRedis(t, nil)
	replica := primary.StartReplica(nil)
	for _, s := range []*servers.RedisServer{primary, replica} {
		restricted(t, s, "counterfoil", "+role")
	}
	sentinel := primary.StartSentinel()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(sentinel.Do("SENTINEL", "REPLICAS", "primary"), "slave"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the Sentinel does not see the replica")
		}
	}
	s := open(t, fmt.Sprintf("redis+sentinel://counterfoil:password@%s/primary?sentinel_user=default&sentinel_password=%s",
		sentinel.Address(), sentinel.Password()), redis.Config{Replicas: 1})
	walk(t, s)
	ended, live := create(t, s, "jane"), create(t, s, "jane")
	end(t, s, ended)
	primary.Kill()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		_, err := s.Find(t.Context(), live)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no failover: %v", err)
		}
	}
	finds(t, s, ended, store.ErrNotFound)
}

// With TLS the server must show a certificate that is trusted.
func TestTLS(t *testing.T) {
	dir, roots := certificate(t)
	port := freePort(t)
	s := servers.StartRedis(t, map[string]string{
		"tls-port":         port,
		"tls-cert-file":    filepath.Join(dir, "cert.pem"),
		"tls-key-file":     filepath.Join(dir, "key.pem"),
		"tls-ca-cert-file": filepath.Join(dir, "cert.pem"),
		"tls-auth-clients": "no",
	})
	url := "rediss://default:" + s.Password() + "@127.0.0.1:" + port
	walk(t, open(t, url, redis.Config{TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}}))
	if _, err := tryOpen(t, url, redis.Config{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody trusts: error %v", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key where the server's
// user can read it.
func certificate(t *testing.T) (dir string, roots *x509.CertPool) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(err)
	parsed, err := x509.ParseCertificate(der)
	must(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	dir, err = os.MkdirTemp("", "counterfoil-tls-") // which others can enter, unlike t.TempDir
	must(err)
	t.Cleanup(func() { must(os.RemoveAll(dir)) })
	must(os.Chmod(dir, 0o755))
	must(os.WriteFile(filepath.Join(dir, "cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o644))
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return dir, roots
}

// A server of this machine may listen on a socket only.
func TestSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "counterfoil-socket-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "redis.sock")
	s := servers.StartRedis(t, map[string]string{"unixsocket": path})
	walk(t, open(t, "redis+unix://default:"+s.Password()+"@"+path+"?db=3", redis.Config{}))
}
