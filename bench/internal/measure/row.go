package measure

import "github.com/counterfoil/counterfoil/bench/internal/report"

// The columns that [Result.Row] fills. A table takes those that it shows, and
// may set Log.
var (
	CPUMetric    = report.Metric{Name: "CPU per operation", Unit: report.Nanoseconds}
	WallMetric   = report.Metric{Name: "time per operation", Unit: report.Nanoseconds}
	AllocsMetric = report.Metric{Name: "allocations", Unit: report.Count, Plain: true}
	BytesMetric  = report.Metric{Name: "allocated", Unit: report.Bytes, Plain: true}
)

// Row makes a result a row of a table.
func (r Result) Row(kind report.Kind) report.Row {
	return report.Row{Name: r.Name, Kind: kind, Samples: map[string][]float64{
		CPUMetric.Name:    r.CPU,
		WallMetric.Name:   r.Wall,
		AllocsMetric.Name: r.Allocs,
		BytesMetric.Name:  r.Bytes,
	}}
}
