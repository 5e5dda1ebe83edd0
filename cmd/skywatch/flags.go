// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"
	"github.com/prometheus/common/version"
	"github.com/prometheus/exporter-toolkit/web"
	"github.com/prometheus/exporter-toolkit/web/kingpinflag"

	"skywatch/probes"
)

// program is one run of skywatch: its flags, its streams and its commands.
type program struct {
	stdout, stderr io.Writer
	commands       map[string]func(context.Context) error

	configFile          string
	logLevel, logFormat string
	logProber           string
	logProberSet        bool
	compat              string
	timeoutOffset       float64 // seconds
	output              string

	// of serve
	configCheck        bool
	autoReload         bool
	autoReloadInterval uint32 // seconds
	historyLimit       uint
	web                *web.FlagConfig
	externalURL        string
	routePrefix        string
	pprof              bool
}

// The defaults of --config.file, in the order of preference.
var configFiles = []string{"skywatch.yml", "blackbox.yml"}

const listenAddress = ":9115"

// parse reads the command line. done tells that the answer, such as the help, was already given.
func (p *program) parse(args []string) (command string, done bool, err error) {
	app := kingpin.New("skywatch", "Watches services the way their users use them.")
	app.UsageWriter(p.stdout).ErrorWriter(p.stderr).UsageTemplate(usage)
	app.Terminate(func(int) { done = true })
	app.Version(version.Print("skywatch"))
	app.HelpFlag.Short('h')
	p.globalFlags(app)
	p.commands = make(map[string]func(context.Context) error)
	p.serveCommand(app)
	p.checkCommand(app)
	p.probeCommand(app)
	p.configCommand(app)
	p.summaryCommand(app)
	command, err = app.Parse(args)
	if done {
		return "", true, nil
	}
	if err != nil {
		return "", false, hint(fmt.Errorf("reading the command line: %w", err), "skywatch --help lists commands and flags")
	}
	p.checkLogProber()
	return command, false, p.checkFlags()
}

// checkLogProber takes the default for a level that does not exist, which is no reason not to start.
func (p *program) checkLogProber() {
	if p.logProber = strings.ToLower(p.logProber); slices.Contains(proberLevels, p.logProber) {
		return
	}
	p.logger().Warn("level of --log.prober is not known, taking info", "level", p.logProber, "want", strings.Join(proberLevels, ", "))
	p.logProber = "info"
}

var proberLevels = []string{"debug", "info", "warn", "error", "off"}

// checkFlags refuses values that kingpin takes.
func (p *program) checkFlags() error {
	if p.timeoutOffset != p.timeoutOffset || p.timeoutOffset < 0 || p.timeoutOffset > time.Hour.Seconds() {
		return fmt.Errorf("reading the command line: --timeout-offset=%v, want seconds from 0 to 3600", p.timeoutOffset)
	}
	return nil
}

func (p *program) globalFlags(app *kingpin.Application) {
	app.Flag("config.file", "Configuration file (default "+strings.Join(configFiles, ", else ")+" in the working directory).").
		PlaceHolder("FILE").StringVar(&p.configFile)
	app.Flag("log.level", "Least level of what is logged: debug, info, warn or error.").
		Default("info").EnumVar(&p.logLevel, "debug", "info", "warn", "error")
	app.Flag("log.format", "Form of the log: logfmt or json.").Default("logfmt").EnumVar(&p.logFormat, "logfmt", "json")
	app.Flag("log.prober", "Least level of what probes log on debug pages and, where this flag is given or compat is exact, in the log too: "+
		"debug, info, warn, error or off.").Default("info").IsSetByUser(&p.logProberSet).StringVar(&p.logProber)
	app.Flag("compat", "Where blackbox_exporter has quirks: fixed (better behaviour) or exact (its own).").
		Default("fixed").EnumVar(&p.compat, "fixed", "exact")
	app.Flag("timeout-offset", "Seconds taken off the scraper's timeout for a probe.").Default("0.5").Float64Var(&p.timeoutOffset)
}

func (p *program) serveCommand(app *kingpin.Application) {
	c := app.Command("serve", "Run the checks, answer /probe and show the state of everything (default).").Default()
	c.Flag("config.check", "Read the configuration, say whether it is good, and exit.").BoolVar(&p.configCheck)
	c.Flag("config.enable-auto-reload", "Look at the configuration file at intervals and take over what changed.").BoolVar(&p.autoReload)
	c.Flag("config.auto-reload-interval", "Seconds between two looks.").Default("30").Uint32Var(&p.autoReloadInterval)
	c.Flag("history.limit", "How many probes /logs keeps, and how many older failures besides.").Default("100").UintVar(&p.historyLimit)
	p.web = kingpinflag.AddFlags(c, listenAddress)
	c.Flag("web.external-url", "URL under which users reach skywatch, such as that of a reverse proxy.").PlaceHolder("URL").StringVar(&p.externalURL)
	c.Flag("web.route-prefix", "Prefix of all paths; by default the path of --web.external-url.").PlaceHolder("PATH").StringVar(&p.routePrefix)
	c.Flag("web.enable-pprof", "Show profiles of the process under /debug/pprof/.").BoolVar(&p.pprof)
	p.commands[c.FullCommand()] = p.serve
}

// outputFlag is for commands whose output other programs may read.
func (p *program) outputFlag(c *kingpin.CmdClause) {
	c.Flag("output", "Form of the output: text or json.").Default("text").EnumVar(&p.output, "text", "json")
}

func (p *program) exact() probes.Compat { return p.compat == "exact" }

// configPath gives the configuration file: the one asked for, else the first default that exists.
func (p *program) configPath() string {
	if p.configFile != "" {
		return p.configFile
	}
	for _, path := range configFiles {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return configFiles[0]
}

// usage is kingpin's template with the flags of the default command beside the global ones.
var usage = strings.Replace(kingpin.DefaultUsageTemplate, "{{if .Context.Args -}}", `{{if not .Context.SelectedCommand -}}
{{range .App.Commands}}{{if .Default -}}
Flags of {{.Name}}, the default command:
{{.Flags|FlagsToTwoColumns|FormatTwoColumns}}
{{end}}{{end -}}
{{end -}}
{{if .Context.Args -}}`, 1)
