# make test: everything that continuous integration checks.

.PHONY: test tools checks lint cross model model-short unit histories modules fuzz bench faults

# What has modules of its own, so that nobody else pays for what they need.
MODULES = bench examples/frameworks

# Many tests wait most of the time, for disks and time-outs. What only computes
# runs beside them, and gives way to them.
test: tools
	@$(MAKE) -j2 unit checks
	@$(MAKE) -j1 histories modules

checks:
	nice -n 19 $(MAKE) lint cross model-short

# Installs what is missing, with the system's package manager, and says so.
tools:
	@./scripts/install-tools.sh

lint:
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go mod tidy -diff
	go vet ./...
	go vet -tags faults ./internal/faults
	go tool staticcheck ./...
	for module in $(MODULES); do (cd $$module && go mod tidy -diff && go vet ./... && $$(cd $(CURDIR) && go tool -n staticcheck) ./...) || exit 1; done

# It builds on the three systems that people run it on, and on both kinds of
# processors: nothing here is for one system on one kind only. Nobody runs or
# debugs it, so nothing is optimised, and nothing written for debuggers.
UNOPTIMISED = -gcflags='all=-N -l -dwarf=false'
cross:
	GOOS=darwin GOARCH=arm64 go build $(UNOPTIMISED) ./...
	GOOS=darwin GOARCH=arm64 go vet $(UNOPTIMISED) ./...
	GOOS=windows GOARCH=amd64 go build $(UNOPTIMISED) ./...
	GOOS=windows GOARCH=amd64 go vet $(UNOPTIMISED) ./...

# The algorithm, and its mutants: model/README.md. The short run takes a bound
# of one tick.
model:
	./model/run.sh full

model-short:
	./model/run.sh short

# The commands and the program from outside run without the race detector: in
# them it would mostly slow the hashing of passwords down. Those packages come
# first that take longest. None is vetted again: lint does that.
LONGEST = ./store/sqlite ./store/postgres ./server/account ./server ./feed ./store/redis .
PROGRAMS = ./cmd/counterfoil ./e2e
unit:
	go test -race -vet=off -p 4 -timeout 12m $(LONGEST) $$(go list ./... | grep -v -e /internal/faults$$ -e /cmd/counterfoil$$ -e /e2e$$)
	go test -vet=off -timeout 12m $(PROGRAMS)

# They run alone: their processes need the processors.
histories:
	go test -vet=off -timeout 6m ./internal/faults

modules:
	for module in $(MODULES); do (cd $$module && go test -vet=off ./...) || exit 1; done

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 2m
fuzz:
	./scripts/fuzz.sh $(FUZZTIME)

# Everything side by side with the libraries that one would take instead: a
# little less than half an hour, on a machine that does nothing else. It writes
# docs/performance.md and the README's figures. For a first look:
# make bench BENCH=-quick
# (Two SQLite drivers want one name there; we need none for ours.)
BENCH ?= -report ../docs/performance.md -readme ../README.md
bench:
	cd bench && go run -tags mattn -ldflags "-X github.com/ncruces/go-sqlite3/driver.driverName=" . $(BENCH)

# Nodes and verifiers on real stores, broken on purpose: a quarter of an hour.
# It writes docs/faults.md.
faults:
	go test -tags faults -count=1 -timeout 40m -run '^TestReport$$' -v ./internal/faults -args -report ../../docs/faults.md
