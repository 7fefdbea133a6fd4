#!/usr/bin/env Rscript
# Writes SET.json: the accuracy of seasonal naive, drift, mean and ETS forecasts of the sets of
# examples/forecasting/data. README.md documents the protocol and how to run it.
#
#     Rscript test/golden/forecasting/make_reference.R [SET ...]

suppressPackageStartupMessages(library(forecast))
library(jsonlite)

script <- sub('--file=', '', grep('--file=', commandArgs(FALSE), value = TRUE))
here <- dirname(normalizePath(script))
data_folder <- file.path(here, '..', '..', '..', 'examples', 'forecasting', 'data')
sets <- fromJSON(file.path(data_folder, 'protocol.json'))$sets
METHODS <- c('seasonalNaive', 'drift', 'mean', 'ets')

# Stops unless two results agree.
same <- function(a, b) stopifnot(isTRUE(all.equal(as.numeric(a), as.numeric(b), tolerance = 1e-12)))

# The values of a set, one vector per series, in the order of the file.
read_series <- function(set) {
  table <- read.csv(file.path(data_folder, set$file), check.names = FALSE)
  names <- if (is.null(set$series)) rep('', nrow(table)) else table[[set$series]]
  values <- split(as.numeric(table[[set$value]]), factor(names, levels = unique(names)))
  times <- split(table[[set$time]], factor(names, levels = unique(names)))
  stopifnot(all(sapply(times, function(t) !is.unsorted(t, strictly = TRUE))))
  values
}

# Numbers of training observations of the rolling origins. The last window ends with the series.
origins_of <- function(n, set) n - set$horizon - rev(seq(0, set$origins - 1)) * set$stride

seasonal_naive <- function(y, season, horizon) {
  sapply(seq_len(horizon), function(h) {
    lags <- seq(h - season * ceiling(h / season), -length(y) + 1, by = -season)
    earlier <- y[length(y) + lags]
    earlier[!is.na(earlier)][1]
  })
}

drift <- function(y, horizon) {
  observed <- range(which(!is.na(y)))
  slope <- diff(y[observed]) / diff(observed)
  y[observed[2]] + slope * (length(y) - observed[2] + seq_len(horizon))
}

# ETS selected by AICc, after STL if the season is longer than 24, with the 80 % interval.
ets_forecast <- function(y, set) {
  filled <- approx(seq_along(y), y, seq_along(y), rule = 2)$y
  if (set$ets$method == 'ets') {
    fit <- ets(ts(filled, frequency = set$season))
    result <- forecast(fit, h = set$horizon, level = 80)
  } else {
    seasons <- set$ets$seasons
    series <- if (length(seasons) > 1) msts(filled, seasonal.periods = seasons) else ts(filled, frequency = seasons)
    result <- stlf(series, h = set$horizon, level = 80, method = 'ets')
  }
  list(mean = as.numeric(result$mean), lower = as.numeric(result$lower), upper = as.numeric(result$upper),
       model = result$method)
}

forecasts <- function(y, set) {
  smart <- ets_forecast(y, set)
  result <- list(
    seasonalNaive = seasonal_naive(y, set$season, set$horizon),
    drift = drift(y, set$horizon),
    mean = rep(mean(y, na.rm = TRUE), set$horizon),
    ets = smart$mean
  )
  if (!anyNA(y)) {
    # The definitions above, which allow missing values, agree with those of the package.
    season <- ts(y, frequency = set$season)
    same(result$seasonalNaive, snaive(season, h = set$horizon)$mean)
    same(result$drift, rwf(season, h = set$horizon, drift = TRUE)$mean)
    same(result$mean, meanf(season, h = set$horizon)$mean)
  }
  list(points = result, ets = smart)
}

# MASE, sMAPE in per cent and RMSE of one window. Missing targets do not count.
score <- function(actual, forecast, scale) {
  observed <- !is.na(actual)
  error <- abs(actual - forecast)[observed]
  size <- (abs(actual) + abs(forecast))[observed]
  c(mase = mean(error) / scale,
    smape = 100 * mean(ifelse(size == 0, 0, 2 * error / size)),
    rmse = sqrt(mean(error^2)))
}

evaluate <- function(y, set) {
  windows <- lapply(origins_of(length(y), set), function(n) {
    train <- y[seq_len(n)]
    actual <- y[n + seq_len(set$horizon)]
    if (all(is.na(actual))) return(NULL)
    scale <- mean(abs(diff(train, lag = set$season)), na.rm = TRUE)
    if (scale == 0) return(NULL)
    f <- forecasts(train, set)
    scores <- sapply(f$points, function(points) score(actual, points, scale))
    if (!anyNA(c(train, actual))) {
      # Without d and D, the scale of MASE would be that of the naive forecast, because `actual` is not a ts.
      naive <- snaive(ts(train, frequency = set$season), h = set$horizon)
      package <- accuracy(naive, actual, d = 0, D = 1)
      same(scores[c('mase', 'rmse'), 'seasonalNaive'], package['Test set', c('MASE', 'RMSE')])
    }
    list(origin = n, forecasts = f, scores = scores,
         coverage = mean(actual >= f$ets$lower & actual <= f$ets$upper, na.rm = TRUE))
  })
  windows <- Filter(Negate(is.null), windows)
  if (length(windows) == 0) return(NULL)
  list(scores = Reduce(`+`, lapply(windows, `[[`, 'scores')) / length(windows),
       coverage = mean(sapply(windows, `[[`, 'coverage')),
       windows = length(windows), last = windows[[length(windows)]])
}

evaluate_all <- function(series, set) {
  results <- parallel::mclapply(series, evaluate, set = set, mc.cores = as.integer(Sys.getenv('CORES', '1')))
  failed <- Filter(function(r) inherits(r, 'try-error'), results)
  if (length(failed) > 0) stop(failed[[1]])
  results <- Filter(Negate(is.null), results)
  overall <- Reduce(`+`, lapply(results, `[[`, 'scores')) / length(results)
  by_method <- lapply(setNames(METHODS, METHODS), function(method) as.list(overall[, method]))
  by_method$ets$coverage80 <- mean(sapply(results, `[[`, 'coverage'))
  print(signif(overall, 4))
  list(results = results, windows = sum(sapply(results, `[[`, 'windows')), methods = by_method)
}

make <- function(name) {
  set <- sets[[name]]
  started <- Sys.time()
  series <- read_series(set)
  evaluated <- evaluate_all(series, set)
  results <- evaluated$results
  first <- results[[1]]$last
  # As many windows that end before the first target of those above.
  earlier <- evaluate_all(lapply(series, head, -(set$horizon + (set$origins - 1) * set$stride)), set)
  per_series <- lapply(results, function(r) lapply(setNames(METHODS, METHODS), function(m) unname(r$scores[, m])))
  content <- list(
    source = list(R = as.character(getRversion()), forecast = as.character(packageVersion('forecast'))),
    series = length(series), windows = evaluated$windows,
    methods = evaluated$methods,
    earlier = earlier[c('windows', 'methods')],
    last = list(series = names(series)[1], origin = first$origin, forecasts = first$forecasts$points,
                ets = first$forecasts$ets[c('model', 'lower', 'upper')])
  )
  if (length(series) > 1) content$perSeries <- per_series
  json <- toJSON(content, auto_unbox = TRUE, digits = I(10), null = 'null')
  json <- gsub('\\},"', '},\n"', json)
  writeLines(json, file.path(here, paste0(name, '.json')))
  cat(sprintf('%-22s %5.0f s', name, as.numeric(Sys.time() - started, units = 'secs')), '\n')
}

chosen <- commandArgs(TRUE)
for (name in if (length(chosen) > 0) chosen else names(sets)) make(name)
