// SPDX-License-Identifier: Apache-2.0
// Copyright The skywatch Authors

package collector

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"skywatch/internal/probe"
)

// defaultModule is what a request without a module asks for.
const defaultModule = "http_2xx"

// refusal is a request that is answered without a probe.
type refusal struct {
	status int
	text   string
}

// refuseProbe answers for a probe that is not made.
func refuseProbe(w http.ResponseWriter, err error) {
	var refused *probe.Refused
	if errors.As(err, &refused) && refused.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refused.After.Seconds()))))
	}
	http.Error(w, err.Error(), statusOf(err))
}

// statusOf gives the status of an answer without a probe.
func statusOf(err error) int {
	var refused *probe.Refused
	if !errors.As(err, &refused) {
		return http.StatusInternalServerError
	}
	switch refused.Cause {
	case probe.RefusedTarget:
		return http.StatusForbidden
	case probe.RefusedPace:
		return http.StatusTooManyRequests
	}
	return http.StatusBadRequest
}

// HostnameChecker is what a prober has besides Probe when the hostname parameter may contradict its configuration, or be needed by it:
// hostname is "" in a request without one.
type HostnameChecker interface {
	CheckHostname(hostname string) error
}

// check reads a request in the order that blackbox_exporter's users know: module, timeout, target, hostname.
func (h *handler) check(r *http.Request) (probe.Check, *refusal) {
	name := parameter(r.URL.RawQuery, "module")
	if name == "" {
		name = defaultModule
	}
	module, ok := h.Module(name)
	if !ok {
		h.unknown.Inc()
		h.unknownAlias.Inc()
		return probe.Check{}, &refusal{http.StatusBadRequest, fmt.Sprintf("Unknown module %q", name)}
	}
	timeout, err := h.timeout(r.Header.Get("X-Prometheus-Scrape-Timeout-Seconds"), module)
	if err != nil {
		return probe.Check{}, &refusal{http.StatusInternalServerError, "Failed to parse timeout from Prometheus header: " + err.Error()}
	}
	address := parameter(r.URL.RawQuery, "target")
	if address == "" {
		return probe.Check{}, &refusal{http.StatusBadRequest, "Target parameter is missing"}
	}
	if module.Vary != nil {
		parameters, _ := url.ParseQuery(r.URL.RawQuery) // what cannot be read is not there, as for the parameters above
		if module, err = module.Vary(parameters); err != nil {
			return probe.Check{}, &refusal{http.StatusBadRequest, err.Error()}
		}
	}
	target := probe.NewTarget(decodeTarget(address, h.Exact))
	target.Hostname, target.Credential = parameter(r.URL.RawQuery, "hostname"), parameter(r.URL.RawQuery, "credential")
	if checker, ok := module.Prober.(HostnameChecker); ok {
		if err := checker.CheckHostname(target.Hostname); err != nil {
			return probe.Check{}, &refusal{http.StatusBadRequest, err.Error()}
		}
	}
	if err := module.Permitted(target); err != nil {
		return probe.Check{}, &refusal{statusOf(err), err.Error()}
	}
	return probe.Check{Module: module, Target: target, Origin: probe.OriginRequest, Timeout: timeout, Attempts: 1}, nil
}

// parameter gives the first value of a query's parameter. It understands a query as url.ParseQuery does, without building a map.
func parameter(query, name string) string {
	for query != "" {
		var field string
		field, query, _ = strings.Cut(query, "&")
		if field == "" || strings.Contains(field, ";") {
			continue
		}
		key, value, _ := strings.Cut(field, "=")
		if key, err := url.QueryUnescape(key); err != nil || key != name {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			return value
		}
	}
	return ""
}

// decodeTarget undoes a second URL encoding, as some scrape configurations send it. blackbox_exporter decodes always, which destroys
// what the target's own query had encoded; we do only when the target makes no sense otherwise, and never turn + into a space.
func decodeTarget(address string, exact bool) string {
	if exact {
		if decoded, err := url.QueryUnescape(address); err == nil {
			return decoded
		}
		return address
	}
	if !strings.Contains(address, "%") || plausible(address) {
		return address
	}
	if decoded, err := url.PathUnescape(address); err == nil && plausible(decoded) {
		return decoded
	}
	return address
}

// plausible tells whether an address is a URL with a host, a host with or without port, or an absolute path.
func plausible(address string) bool {
	if strings.HasPrefix(address, "/") {
		return true
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	u, err := url.Parse(address)
	return err == nil && u.Host != ""
}

// The bounds of a probe's time.
const (
	defaultScrapeTimeout = 120              // seconds, of a request without the header
	shortestTimeout      = time.Second / 10 // when header and module leave nothing
	longestTimeout       = 24 * time.Hour   // whatever the header says
)

var errNotANumber = errors.New("not a number")

// timeout reads the scraper's time of the header, which gives the probe its own.
func (h *handler) timeout(header string, module *probe.Module) (time.Duration, error) {
	scrape := 0.0
	if header != "" {
		var err error
		if scrape, err = strconv.ParseFloat(header, 64); err != nil {
			return 0, err
		}
	}
	if math.IsNaN(scrape) {
		return 0, &strconv.NumError{Func: "ParseFloat", Num: header, Err: errNotANumber}
	}
	timeout, short := Timeout(scrape, h.TimeoutOffset, module.Timeout, h.Exact)
	if short {
		h.Log.Warn("scrape timeout leaves no time for the probe", "module", module.Name, "offset", h.TimeoutOffset, "timeout", timeout)
	}
	return timeout, nil
}

// Timeout gives a probe the scraper's seconds (0 = it did not say) less the offset, or the module's own time if that is shorter; the offset
// never shortens the latter. short tells that this left nothing and the probe got a time nevertheless; in exact mode it stays without.
func Timeout(scrape float64, offset, own time.Duration, exact bool) (timeout time.Duration, short bool) {
	if scrape == 0 {
		scrape = defaultScrapeTimeout
	}
	left := scrape - offset.Seconds()
	switch {
	case left < 0 || own > 0 && own.Seconds() < left:
		timeout = own
	case left > longestTimeout.Seconds():
		timeout = longestTimeout
	default:
		timeout = time.Duration(math.Round(left * float64(time.Second)))
	}
	if timeout > 0 || exact {
		return timeout, false
	}
	if own > 0 {
		return own, true
	}
	return shortestTimeout, true
}
