// Package alerts tells a webhook when a budget is nearly or wholly spent. It keeps what
// is to be told before it tells it, tells each thing once over restarts, and never makes
// a request wait. It decides nothing about budgets and reads no books.
package alerts
