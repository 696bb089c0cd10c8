package memory

// Agents keeps each user agent once: a million sessions have some thousand
// different ones. It is bounded, so that who invents user agents gains nothing:
// when it is full, further ones are stored with their sessions.
//
// Nothing moves: a text can be read while another is taken or released.
type agents struct {
	refs  map[string]uint16 // which count from one
	texts [maxAgents / agentGroup]*[agentGroup]agent
	last  uint16 // the highest that was ever given
	freed []uint16
}

type agent struct {
	text string
	uses int
}

const (
	maxAgents  = 4096
	agentGroup = 64
)

func newAgents() agents { return agents{refs: map[string]uint16{}} }

// take returns the reference to a text, counting its uses; zero: it is not
// kept here.
func (a *agents) take(text string) uint16 {
	if ref := a.refs[text]; ref != 0 {
		a.at(ref).uses++
		return ref
	}
	if text == "" || len(a.refs) == maxAgents {
		return 0
	}
	ref := a.place()
	*a.at(ref) = agent{text, 1}
	a.refs[text] = ref
	return ref
}

func (a *agents) place() uint16 {
	if n := len(a.freed); n > 0 {
		ref := a.freed[n-1]
		a.freed = a.freed[:n-1]
		return ref
	}
	if a.last%agentGroup == 0 {
		a.texts[a.last/agentGroup] = new([agentGroup]agent)
	}
	a.last++
	return a.last
}

func (a *agents) at(ref uint16) *agent { return &a.texts[(ref-1)/agentGroup][(ref-1)%agentGroup] }

func (a *agents) text(ref uint16) string {
	if ref == 0 {
		return ""
	}
	return a.at(ref).text
}

// release gives a reference back.
func (a *agents) release(ref uint16) {
	if ref == 0 {
		return
	}
	t := a.at(ref)
	if t.uses--; t.uses == 0 {
		delete(a.refs, t.text)
		*t = agent{}
		a.freed = append(a.freed, ref)
	}
}
