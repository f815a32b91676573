// Seconds an iteration of Eigen's conjugate gradients on the Poisson problem; side and iterations as arguments.
#include <Eigen/Sparse>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

int main(int, char **arguments) {
    const int side = std::atoi(arguments[1]), iterations = std::atoi(arguments[2]);
    const int repetitions = std::atoi(arguments[3]), size = side * side;
    std::vector<Eigen::Triplet<double>> entries;
    for (int row = 0; row < size; ++row) {
        const int i = row % side, j = row / side;
        entries.emplace_back(row, row, 4.0);
        if (i > 0) entries.emplace_back(row, row - 1, -1.0);
        if (i + 1 < side) entries.emplace_back(row, row + 1, -1.0);
        if (j > 0) entries.emplace_back(row, row - side, -1.0);
        if (j + 1 < side) entries.emplace_back(row, row + side, -1.0);
    }
    Eigen::SparseMatrix<double, Eigen::RowMajor> matrix(size, size);
    matrix.setFromTriplets(entries.begin(), entries.end());
    const Eigen::VectorXd b = Eigen::VectorXd::Ones(size);
    Eigen::ConjugateGradient<decltype(matrix), Eigen::Lower | Eigen::Upper, Eigen::IdentityPreconditioner> solver(matrix);
    solver.setTolerance(0.0);
    solver.setMaxIterations(iterations);
    double best = 1e300, sum = 0.0;
    for (int repetition = 0; repetition < repetitions; ++repetition) {
        const auto start = std::chrono::steady_clock::now();
        sum += solver.solve(b).sum();
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        best = std::min(best, taken.count());
    }
    std::printf("Eigen %d.%d.%d\n%.9e\n%g\n", EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION,
                best / iterations, sum);
}
