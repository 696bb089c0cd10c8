package main

type sessionCmd struct {
	List sessionListCmd `cmd:"" help:"List the sessions of users who are logged in."`
	End  sessionEndCmd  `cmd:"" help:"End one session, those of a user, or all."`
}
