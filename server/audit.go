package server

import (
	"context"
	"log/slog"
	"unicode/utf8"

	"github.com/counterfoil/counterfoil"
)

// Audit returns a function for counterfoil.Config.OnEvent that logs the events:
// every login, logout, refusal and the like (ASVS 16.3.1, 16.3.2). They hold no
// secret; slog escapes what clients chose.
func Audit(log *slog.Logger) func(context.Context, counterfoil.Event) {
	return func(ctx context.Context, e counterfoil.Event) {
		level := slog.LevelInfo
		switch e.Kind {
		case counterfoil.StoreFailed:
			return // logged already, with what was being done
		case counterfoil.RequestRefused, counterfoil.TokenReused:
			level = slog.LevelWarn
		}
		attrs := []slog.Attr{slog.String("event", string(e.Kind))}
		for _, a := range []struct{ key, value string }{
			{"session", e.Session}, {"user", e.User}, {"name", e.Name}, {"address", e.Address},
		} {
			if a.value != "" {
				attrs = append(attrs, slog.String(a.key, a.value))
			}
		}
		if e.Kind == counterfoil.SessionsEnded {
			attrs = append(attrs, slog.Int("count", e.Count))
		}
		if e.Err != nil {
			attrs = append(attrs, slog.String("reason", e.Err.Error()))
		}
		log.LogAttrs(ctx, level, "audit", attrs...)
	}
}

// maskName shortens what somebody typed as a name and is none: it may be a
// password in the wrong field.
func maskName(typed string) string {
	_, n := utf8.DecodeRuneInString(typed)
	return typed[:n] + "…"
}
